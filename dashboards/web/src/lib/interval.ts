/** Ranges of time: what the URL says, what the API is asked, how wide the buckets are. Pure. */

export const presets = ['24h', '7d', '30d'] as const
export type Preset = (typeof presets)[number]

/** Either the newest stretch of time, moving with now, or a fixed window [from, to) in epoch ms. */
export type TimeRange = { kind: 'preset'; preset: Preset } | { kind: 'window'; from: number; to: number }

export const defaultRange: TimeRange = { kind: 'preset', preset: '24h' }

const minute = 60_000
const hour = 60 * minute

/** A zoom narrower than this shows less than a handful of samples. */
export const minWindow = 5 * minute
const maxWindow = 400 * 24 * hour

const presetSpan: Record<Preset, number> = { '24h': 24 * hour, '7d': 168 * hour, '30d': 720 * hour }

// Steps of whole hours are answered from the hourly rollup: 7 and 30 days stay quick for any number of servers.
const presetStep: Record<Preset, string> = { '24h': '5m', '7d': '1h', '30d': '2h' }

/** Reads the range from a URL's query; anything unreadable means the default. */
export function parseRange(query: Record<string, unknown>): TimeRange {
  const window = parseWindow(query['from'], query['to'])
  if (window) return window
  const preset = presets.find((p) => p === query['range'])
  return preset ? { kind: 'preset', preset } : defaultRange
}

function parseWindow(from: unknown, to: unknown): TimeRange | null {
  if (typeof from !== 'string' || typeof to !== 'string') return null
  if (!/^\d{12,14}$/.test(from) || !/^\d{12,14}$/.test(to)) return null
  return windowOf(Number(from), Number(to))
}

/** The window between two moments in either order, cut to whole seconds; null when too narrow or too wide. */
export function windowOf(a: number, b: number): TimeRange | null {
  const from = Math.floor(Math.min(a, b) / 1000) * 1000
  const to = Math.ceil(Math.max(a, b) / 1000) * 1000
  if (to - from < minWindow || to - from > maxWindow) return null
  return { kind: 'window', from, to }
}

/** The range as the URL's query and as the API's parameters: both use the contract's words. */
export function rangeParams(range: TimeRange): Record<string, string> {
  if (range.kind === 'preset') return { range: range.preset }
  return { from: String(range.from), to: String(range.to) }
}

/** The bucket width to ask for; undefined leaves it to the server, which knows what it still keeps. */
export function stepFor(range: TimeRange): string | undefined {
  return range.kind === 'preset' ? presetStep[range.preset] : undefined
}

/** The length of a range, ms. */
export function spanOf(range: TimeRange): number {
  return range.kind === 'preset' ? presetSpan[range.preset] : range.to - range.from
}

/** Two ranges ask for the same when their keys are equal. */
export function rangeKey(range: TimeRange): string {
  return new URLSearchParams(rangeParams(range)).toString()
}

const goUnits: Record<string, number> = { h: hour, m: minute, s: 1000, ms: 1 }

/** Reads a duration as Go writes it ("1h30m0s"), in ms; 0 when it is none. */
export function parseGoDuration(text: string): number {
  if (!/^(\d+(\.\d+)?(h|ms|m|s))+$/.test(text)) return 0
  let total = 0
  for (const [, amount, , unit] of text.matchAll(/(\d+(\.\d+)?)(h|ms|m|s)/g)) {
    total += Number(amount) * (goUnits[unit ?? ''] ?? 0)
  }
  return total
}

/** A bucket width for people: "5-minute", "1-hour", "2-day". */
export function stepName(step: string): string {
  const ms = parseGoDuration(step)
  if (ms === 0) return step
  if (ms % (24 * hour) === 0) return `${ms / (24 * hour)}-day`
  if (ms % hour === 0) return `${ms / hour}-hour`
  if (ms % minute === 0) return `${ms / minute}-minute`
  return `${ms / 1000}-second`
}

/** The same length of time, so many ms earlier, as parameters of the API. */
export function paramsBefore(range: TimeRange, ms: number, now: number): Record<string, string> {
  const to = range.kind === 'window' ? range.to : now
  return { from: String(to - spanOf(range) - ms), to: String(to - ms) }
}

/** With what a range is compared. */
export const comparisons = { none: 0, day: 24 * hour, week: 168 * hour } as const
export type Comparison = keyof typeof comparisons

export function parseComparison(value: unknown): Comparison {
  return value === 'day' || value === 'week' ? value : 'none'
}

/** The text of a field for local time, "2026-11-23T19:02", of a moment in the browser's zone. */
export function toLocalField(t: number): string {
  const local = new Date(t - new Date(t).getTimezoneOffset() * minute)
  return local.toISOString().slice(0, 16)
}

/** The moment that such a text means; NaN when it is none. */
export function fromLocalField(text: string): number {
  return new Date(text).getTime()
}
