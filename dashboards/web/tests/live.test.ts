import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { LiveConnection, silenceLimit } from '@/live/connection'
import { aliveLimit, Switchboard, type Port, type WorkerMessage } from '@/live/share'
import { EventReader } from '@/live/sse'
import { noLive, type LiveChanges, type LiveServer, type LiveState } from '@/live/types'

describe('EventReader', () => {
  const text =
    'retry: 2000\n\n:\n\nid: a-1\nevent: totals\ndata: {"x":1}\n\nevent: servers\r\ndata:a\r\ndata: b\r\n\r\nid\n\ndata: last\n\n'
  const whole = [
    { id: 'a-1', name: 'totals', data: '{"x":1}' },
    { id: 'a-1', name: 'servers', data: 'a\nb' },
    { id: '', name: '', data: 'last' },
  ]

  it('reads events however they are cut', () => {
    for (let size = 1; size <= text.length; size++) {
      const reader = new EventReader()
      const got = []
      for (let i = 0; i < text.length; i += size) got.push(...reader.push(text.slice(i, i + size)))
      expect(got).toEqual(whole)
      expect(reader.retry).toBe(2000)
    }
  })

  it('gives no event that is not whole', () => {
    expect(new EventReader().push('data: x\n')).toEqual([])
    expect(new EventReader('kept').push('data: x\n\n')).toEqual([{ id: 'kept', name: '', data: 'x' }])
  })
})

const totals = (current: number, stale_since: string | null = null) => ({
  at: '2026-11-23T18:00:00Z',
  servers: { total: 1, online: 1, silent: 0 },
  players: { current, capacity: null },
  complete: true,
  stale_since,
})
const event = (name: string, data: unknown, id = '') =>
  `${id ? `id: ${id}\n` : ''}event: ${name}\ndata: ${JSON.stringify(data)}\n\n`

/** A server whose streams a test writes. */
function server() {
  const asked: { headers: Record<string, string>; signal: AbortSignal }[] = []
  let stream: ReadableStreamDefaultController<Uint8Array> | undefined
  let status = 200
  const fetcher = ((_: string, init: RequestInit) => {
    asked.push({ headers: init.headers as Record<string, string>, signal: init.signal as AbortSignal })
    const body = new ReadableStream<Uint8Array>({ start: (c) => void (stream = c) })
    init.signal?.addEventListener('abort', () => stream?.error(new Error('aborted')), { once: true })
    return Promise.resolve(new Response(body, { status, headers: { 'Content-Type': 'text/event-stream' } }))
  }) as typeof fetch
  return {
    asked,
    fetcher,
    say: async (text: string) => {
      stream?.enqueue(new TextEncoder().encode(text))
      await vi.advanceTimersByTimeAsync(0)
    },
    hangUp: async () => {
      stream?.close()
      await vi.advanceTimersByTimeAsync(0)
    },
    refuse: (code: number) => (status = code),
  }
}

describe('LiveConnection', () => {
  beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }))
  afterEach(() => void vi.useRealTimers())

  async function connect(token: string | null = 'secret') {
    const far = server()
    const states: LiveState[] = []
    const connection = new LiveConnection({ url: '/live', token }, (s) => states.push(s), far.fetcher)
    connection.open()
    await vi.advanceTimersByTimeAsync(0)
    return { far, states, connection }
  }

  it('gives totals as they come', async () => {
    const { far, states } = await connect()
    await far.say(event('snapshot', { totals: totals(1), servers: [] }, 'n-0-1'))
    await far.say(event('servers', { servers: [] }) + event('totals', totals(2), 'n-0-2'))
    expect(states.map((s) => s.totals?.players.current)).toEqual([1, 2])
    expect(states.at(-1)?.staleSince).toBeNull()
    expect(far.asked[0]?.headers['Authorization']).toBe('Bearer secret')
  })

  it('tells which servers changed, and knows the newest of each', async () => {
    const far = server()
    const told: (LiveChanges | undefined)[] = []
    const connection = new LiveConnection({ url: '/live', token: null }, (_, c) => told.push(c), far.fetcher)
    connection.open()
    await vi.advanceTimersByTimeAsync(0)
    const of = (server_id: string, players: number): LiveServer => ({
      server_id,
      state: 'online',
      last_seen: null,
      sample: { players },
    })
    await far.say(event('snapshot', { totals: totals(1), servers: [of('a', 1), of('b', 2)] }, 'n-0-1'))
    await far.say(event('servers', { servers: [of('a', 3)], gone: ['b'] }, 'n-0-2'))
    expect(told).toEqual([
      { reset: true, servers: [of('a', 1), of('b', 2)], gone: [] },
      { reset: false, servers: [of('a', 3)], gone: ['b'] },
    ])
    expect([...connection.servers.values()]).toEqual([of('a', 3)])
    connection.close()
  })

  it('tells of installations', async () => {
    const far = server()
    const told: (LiveChanges | undefined)[] = []
    const connection = new LiveConnection({ url: '/live', token: 'x' }, (_, c) => told.push(c), far.fetcher)
    connection.open()
    await vi.advanceTimersByTimeAsync(0)
    await far.say(event('installation', { installation_id: 'a', progress: 40 }, 'n-0-1'))
    const installations = [{ installation_id: 'a', progress: 40 }]
    expect(told).toEqual([{ reset: false, servers: [], gone: [], installations }])
    connection.close()
  })

  it('says since when it is stale, and goes on where it broke off', async () => {
    const { far, states } = await connect()
    await far.say(event('totals', totals(1), 'n-0-7'))
    await vi.advanceTimersByTimeAsync(5_000)
    await far.hangUp()
    expect(states.at(-1)).toEqual({ totals: totals(1), staleSince: 1_000_000 })
    await vi.advanceTimersByTimeAsync(2_000)
    expect(far.asked[1]?.headers['Last-Event-ID']).toBe('n-0-7')
    await far.say(event('totals', totals(3), 'n-0-8'))
    expect(states.at(-1)).toEqual({ totals: totals(3), staleSince: null })
  })

  it('believes the server that it hears nothing itself', async () => {
    const { far, states } = await connect()
    await far.say(event('totals', totals(1, '1970-01-01T00:10:00Z')))
    expect(states.at(-1)?.staleSince).toBe(600_000)
  })

  it('takes silence for a broken stream', async () => {
    const { far } = await connect()
    await far.say(':\n\n')
    await vi.advanceTimersByTimeAsync(silenceLimit + 2_100)
    expect(far.asked.length).toBe(2)
  })

  it('does not ask again when it is refused, or when its token or license has ended', async () => {
    const first = await connect()
    await first.far.say(event('totals', totals(1)) + event('end', { reason: 'token-expired' }))
    expect(first.states.at(-1)).toEqual(noLive)
    const second = await connect()
    second.far.refuse(403)
    await second.far.hangUp()
    await vi.advanceTimersByTimeAsync(600_000)
    expect([first.far.asked.length, second.far.asked.length]).toEqual([1, 2])
  })

  it('comes back to a server that restarts', async () => {
    const { far } = await connect()
    await far.say(event('end', { reason: 'shutting-down' }))
    await far.hangUp()
    await vi.advanceTimersByTimeAsync(2_000)
    expect(far.asked.length).toBe(2)
  })

  it('ends when it is closed', async () => {
    const { far, connection } = await connect(null)
    expect(far.asked[0]?.headers['Authorization']).toBeUndefined()
    connection.close()
    expect(far.asked[0]?.signal.aborted).toBe(true)
    await vi.advanceTimersByTimeAsync(600_000)
    expect(far.asked.length).toBe(1)
  })
})

describe('Switchboard', () => {
  function board() {
    const log: string[] = []
    const tells: ((state: LiveState) => void)[] = []
    let clock = 0
    const connect = (source: { url: string }, tell: (state: LiveState) => void) => {
      tells.push(tell)
      return {
        state: noLive,
        servers: new Map(),
        open: () => log.push(`open ${source.url}`),
        close: () => log.push(`close ${source.url}`),
      }
    }
    const b = new Switchboard(connect as never, () => clock)
    return { b, log, tells, wait: (ms: number) => (clock += ms) }
  }
  const page = () =>
    ({
      got: [] as WorkerMessage[],
      postMessage(message: WorkerMessage) {
        this.got.push(message)
      },
    }) satisfies Port & { got: WorkerMessage[] }
  const open = (url: string, token: string | null = null) => ({
    kind: 'open' as const,
    source: { url, token },
  })

  it('shares one connection a source, and keeps tokens apart', () => {
    const { b, log, tells } = board()
    const [one, two, other] = [page(), page(), page()]
    b.message(one, open('a', 'x'))
    b.message(two, open('a', 'x'))
    b.message(other, open('a', 'y'))
    expect(log).toEqual(['open a', 'open a'])
    tells[0]?.({ totals: null, staleSince: 5 })
    expect([one.got.length, two.got.length, other.got.length]).toEqual([1, 2, 0])
    b.message(one, { kind: 'close' })
    expect(log.length).toBe(2)
    b.message(two, open('b'))
    expect(log).toEqual(['open a', 'open a', 'close a', 'open b'])
  })

  it('lets go of pages that say nothing', () => {
    const { b, log, wait } = board()
    const [dead, alive] = [page(), page()]
    b.message(dead, open('a'))
    b.message(alive, open('b'))
    wait(aliveLimit)
    b.message(alive, { kind: 'alive' })
    wait(1)
    b.sweep()
    expect(log).toEqual(['open a', 'open b', 'close a'])
  })
})
