/** One server-sent event. */
export interface ServerEvent {
  id: string
  name: string
  data: string
}

/** Reads the text of an event stream, in whatever pieces it comes. Comments and unknown fields are skipped. */
export class EventReader {
  private rest = ''
  private event: ServerEvent
  private data: string[] = []
  /** The wait that the server asks for before a new connection, ms; 0 when it did not. */
  retry = 0

  /** lastId is the id of the last event of an earlier connection. */
  constructor(lastId = '') {
    this.event = { id: lastId, name: '', data: '' }
  }

  /** Takes the next piece and gives the events that are whole with it. */
  push(text: string): ServerEvent[] {
    const lines = (this.rest + text).split('\n')
    this.rest = lines.pop() ?? ''
    return lines.flatMap((line) => this.line(line.endsWith('\r') ? line.slice(0, -1) : line))
  }

  private line(line: string): ServerEvent[] {
    if (line === '') return this.dispatch()
    const colon = line.indexOf(':')
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (field === 'id') this.event.id = value
    if (field === 'event') this.event.name = value
    if (field === 'data') this.data.push(value)
    if (field === 'retry' && /^\d+$/.test(value)) this.retry = Number(value)
    return []
  }

  private dispatch(): ServerEvent[] {
    const whole = { ...this.event, data: this.data.join('\n') }
    const empty = this.data.length === 0
    this.event.name = ''
    this.data = []
    return empty ? [] : [whole]
  }
}
