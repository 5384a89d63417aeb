import { backoff, type PollerSettings } from '@/lib/poller'
import { EventReader, type ServerEvent } from './sse'
import {
  noLive,
  type LiveChanges,
  type LiveServer,
  type LiveSource,
  type LiveState,
  type LiveTotals,
  type Tell,
  type Transition,
} from './types'

/** A stream that is silent for longer than this is broken: the server says something every 12 s. */
export const silenceLimit = 40_000

/** Waits between connections: short, because a restarted server is back in seconds. */
const waits: PollerSettings = { interval: 0, firstRetry: 2_000, maxRetry: 30_000 }

/** What outlives a restart of the page's token, license or session: asking again cannot help. */
const refusals = [401, 403, 404, 422]

/** Keeps one live stream open, comes back where it broke off, and tells how fresh its totals are. */
export class LiveConnection {
  state: LiveState = noLive
  /** The newest of each server that the stream told of. */
  readonly servers = new Map<string, LiveServer>()
  private lastId = ''
  private failures = 0
  private heardAt = 0
  private timer: ReturnType<typeof setTimeout> | undefined
  private request: AbortController | undefined

  constructor(
    private readonly source: LiveSource,
    private readonly tell: Tell,
    private readonly fetcher: typeof fetch = (...a) => fetch(...a),
    private readonly now: () => number = Date.now,
  ) {}

  open(): void {
    void this.run()
  }

  close(): void {
    clearTimeout(this.timer)
    this.request?.abort()
    this.request = undefined
  }

  private async run(): Promise<void> {
    const request = new AbortController()
    this.request = request
    let again = true
    try {
      again = await this.read(request)
    } catch {
      // Whatever broke the stream, the next connection tells whether it is over.
    }
    if (this.request !== request) return
    request.abort()
    if (!again) return this.set(noLive)
    if (this.state.totals && this.state.staleSince === null) {
      this.set({ ...this.state, staleSince: this.heardAt })
    }
    this.failures++
    this.timer = setTimeout(() => void this.run(), backoff(waits, this.failures, Math.random()))
  }

  /** Reads one connection to its end; false when another one cannot help. */
  private async read(request: AbortController): Promise<boolean> {
    const headers: Record<string, string> = { Accept: 'text/event-stream' }
    if (this.source.token !== null) headers['Authorization'] = `Bearer ${this.source.token}`
    if (this.lastId) headers['Last-Event-ID'] = this.lastId
    let watchdog = setTimeout(() => request.abort(), silenceLimit)
    try {
      const response = await this.fetcher(this.source.url, {
        headers,
        signal: request.signal,
        cache: 'no-store',
      })
      if (refusals.includes(response.status)) return false
      if (!response.ok || !response.body || !isEventStream(response)) return true
      const events = new EventReader(this.lastId)
      const decoder = new TextDecoder()
      const reader = response.body.getReader()
      for (;;) {
        const { done, value } = await reader.read()
        if (done) return true
        clearTimeout(watchdog)
        watchdog = setTimeout(() => request.abort(), silenceLimit)
        this.heardAt = this.now()
        for (const event of events.push(decoder.decode(value, { stream: true }))) {
          if (event.name === 'end' && !this.mayReturn(event)) return false
          this.take(event)
        }
        this.failures = 0
      }
    } finally {
      clearTimeout(watchdog)
    }
  }

  private mayReturn(end: ServerEvent): boolean {
    return (JSON.parse(end.data) as { reason?: string }).reason === 'shutting-down'
  }

  private take(event: ServerEvent): void {
    this.lastId = event.id
    switch (event.name) {
      case 'snapshot': {
        const { totals, servers } = JSON.parse(event.data) as { totals: LiveTotals; servers: LiveServer[] }
        this.servers.clear()
        for (const server of servers) this.servers.set(server.server_id, server)
        return this.set(stateOf(totals), { reset: true, servers, gone: [] })
      }
      case 'servers': {
        const { servers, gone } = JSON.parse(event.data) as { servers: LiveServer[]; gone?: string[] }
        return this.takeServers(servers, gone ?? [])
      }
      case 'installation': {
        const installations = [JSON.parse(event.data) as Transition]
        return this.tell(this.state, { reset: false, servers: [], gone: [], installations })
      }
      case 'totals':
        this.set(stateOf(JSON.parse(event.data) as LiveTotals))
    }
  }

  private takeServers(servers: LiveServer[], gone: string[]): void {
    for (const server of servers) this.servers.set(server.server_id, server)
    for (const id of gone) this.servers.delete(id)
    if (servers.length + gone.length > 0) this.tell(this.state, { reset: false, servers, gone })
  }

  private set(state: LiveState, changes?: LiveChanges): void {
    this.state = state
    this.tell(state, changes)
  }
}

function stateOf(totals: LiveTotals): LiveState {
  const { stale_since } = totals
  return { totals, staleSince: stale_since ? Date.parse(stale_since) : null }
}

function isEventStream(response: Response): boolean {
  return (response.headers.get('Content-Type') ?? '').startsWith('text/event-stream')
}
