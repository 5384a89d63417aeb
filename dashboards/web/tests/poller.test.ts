import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { backoff, defaultSettings, Poller } from '@/lib/poller'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** A poller over a script of outcomes: each load takes the next; the last one stays. */
function poll(...script: (() => Promise<string>)[]) {
  const log: string[] = []
  const signals: AbortSignal[] = []
  const load = (signal: AbortSignal) => {
    signals.push(signal)
    log.push('start')
    const next = script.length > 1 ? script.shift() : script[0]
    return (next as () => Promise<string>)()
  }
  const events = {
    onData: (data: string) => void log.push(data),
    onError: (_: unknown, wait: number | null) => void log.push(`error ${wait}`),
  }
  return { poller: new Poller(load, events, defaultSettings, () => 0), log, signals }
}
const good = async () => 'data'
const bad = async () => Promise.reject(new Error('away'))
const advance = (ms: number) => vi.advanceTimersByTimeAsync(ms)

describe('Poller', () => {
  it('loads at once and again after the interval', async () => {
    const { poller, log } = poll(good)
    poller.refresh()
    await advance(0)
    expect(log).toEqual(['start', 'data'])
    await advance(9_999)
    expect(log.length).toBe(2)
    await advance(1)
    expect(log).toEqual(['start', 'data', 'start', 'data'])
  })

  it('backs off while it fails and is itself again after a success', async () => {
    const { poller, log } = poll(bad, bad, good, bad)
    poller.refresh()
    await advance(0)
    await advance(2_000)
    await advance(4_000)
    await advance(10_000)
    expect(log.filter((l) => l !== 'start')).toEqual(['error 2000', 'error 4000', 'data', 'error 2000'])
  })

  it('waits as long as the server asks', async () => {
    const { poller, log } = poll(() => Promise.reject(Object.assign(new Error(), { retryAfter: 90_000 })))
    poller.refresh()
    await advance(0)
    expect(log.at(-1)).toBe('error 90000')
  })

  it('does not ask again what is refused for good', async () => {
    const { poller, log } = poll(() => Promise.reject(Object.assign(new Error(), { permanent: true })))
    poller.refresh()
    await advance(600_000)
    expect(log).toEqual(['start', 'error null'])
  })

  it('drops the answer to an older question', async () => {
    let answer: (s: string) => void = () => undefined
    const slow = () => new Promise<string>((resolve) => (answer = resolve))
    const { poller, log, signals } = poll(slow, good)
    poller.refresh()
    poller.refresh()
    await advance(0)
    answer('late')
    await advance(0)
    expect(signals[0]?.aborted).toBe(true)
    expect(log).toEqual(['start', 'start', 'data'])
  })

  it('rests while paused and asks at once after', async () => {
    const { poller, log } = poll(good)
    poller.refresh()
    await advance(0)
    poller.pause()
    await advance(60_000)
    expect(log.length).toBe(2)
    poller.resume()
    await advance(0)
    expect(log.length).toBe(4)
  })

  it('asks no more once stopped', async () => {
    const { poller, log } = poll(good)
    poller.refresh()
    await advance(0)
    poller.stop()
    await advance(60_000)
    expect(log.length).toBe(2)
  })
})

describe('backoff', () => {
  it('doubles to its cap, less up to a fifth', () => {
    const waits = [1, 2, 3, 6, 50].map((n) => backoff(defaultSettings, n, 0))
    expect(waits).toEqual([2_000, 4_000, 8_000, 60_000, 60_000])
    expect(backoff(defaultSettings, 1, 1)).toBe(1_600)
  })
})
