/** Asks again and again, one request at a time, and backs off while it fails. Knows nothing of Vue or HTTP. */

export interface PollerSettings {
  /** From the end of a good load to the next, ms. */
  interval: number
  /** The first wait after a failure, ms; doubles with each further one. */
  firstRetry: number
  /** The longest wait after a failure, ms, unless the server asks for more. */
  maxRetry: number
}

export const defaultSettings: PollerSettings = { interval: 10_000, firstRetry: 2_000, maxRetry: 60_000 }

/** An error may say how it wants to be treated. */
interface Hints {
  permanent?: boolean
  retryAfter?: number
}

export interface PollerEvents<T> {
  onData(data: T): void
  /** wait is the time to the next try, ms; null when asking again cannot help. */
  onError(error: unknown, wait: number | null): void
}

/** The wait after the nth failure in a row (n ≥ 1), with up to 20 % of jitter so that tabs do not march in step. */
export function backoff(settings: PollerSettings, failures: number, random: number): number {
  const wait = Math.min(settings.maxRetry, settings.firstRetry * 2 ** (failures - 1))
  return Math.round(wait * (1 - 0.2 * random))
}

export class Poller<T> {
  private timer: ReturnType<typeof setTimeout> | undefined
  private request: AbortController | undefined
  private failures = 0
  private paused = false

  constructor(
    private readonly load: (signal: AbortSignal) => Promise<T>,
    private readonly events: PollerEvents<T>,
    private readonly settings = defaultSettings,
    private readonly random: () => number = Math.random,
  ) {}

  /** Loads now, dropping a request under way and any wait. */
  refresh(): void {
    this.stop()
    void this.run()
  }

  /** Ends the request under way and the waiting; refresh or resume starts again. */
  stop(): void {
    clearTimeout(this.timer)
    this.request?.abort()
    this.request = undefined
  }

  /** Stops asking, as for a hidden tab. */
  pause(): void {
    this.paused = true
    this.stop()
  }

  /** Goes on at once after a pause; does nothing without one. */
  resume(): void {
    if (!this.paused) return
    this.paused = false
    this.refresh()
  }

  private async run(): Promise<void> {
    const request = new AbortController()
    this.request = request
    try {
      const data = await this.load(request.signal)
      if (request.signal.aborted) return
      this.failures = 0
      this.events.onData(data)
      this.wait(this.settings.interval)
    } catch (error) {
      if (!request.signal.aborted) this.fail(error)
    }
  }

  private fail(error: unknown): void {
    // One failed request fails the load: its companions need not go on.
    this.request?.abort()
    this.failures++
    const hints = (typeof error === 'object' && error !== null ? error : {}) as Hints
    if (hints.permanent) return this.events.onError(error, null)
    const wait = Math.max(backoff(this.settings, this.failures, this.random()), hints.retryAfter ?? 0)
    this.events.onError(error, wait)
    this.wait(wait)
  }

  private wait(ms: number): void {
    if (this.paused) return
    this.timer = setTimeout(() => void this.run(), ms)
  }
}
