/** Numbers and times as people read them. Pure: locale and zone are the browser's unless given. */

/** How a quantity is written. */
export type Kind = 'count' | 'fps' | 'ms' | 'percent' | 'mib' | 'bytes_per_s' | 'seconds' | 'plain'

/** Stands where nothing was measured. */
export const nothing = '–'

export interface Place {
  locale?: string
  timeZone?: string
}

const fixed = (v: number, digits: number, locale?: string) =>
  v.toLocaleString(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits })

/** Digits that keep three figures in sight: 8.25, 82.5, 825. */
function digitsFor(v: number): number {
  const size = Math.abs(v)
  return size >= 100 ? 0 : size >= 10 ? 1 : 2
}

/** A value with its unit, e.g. "58.9 fps"; null gives a dash. */
export function formatValue(kind: Kind, v: number | null | undefined, place: Place = {}): string {
  if (v === null || v === undefined) return nothing
  const [number, unit] = parts(kind, v, place.locale)
  return unit ? `${number}\u00a0${unit}` : number
}

/** A value and its unit apart, for big figures with a small unit; null gives a dash without unit. */
export function splitValue(kind: Kind, v: number | null | undefined, place: Place = {}): [string, string] {
  return v === null || v === undefined ? [nothing, ''] : parts(kind, v, place.locale)
}

function parts(kind: Kind, v: number, locale?: string): [string, string] {
  switch (kind) {
    case 'count':
      return [fixed(Math.round(v), 0, locale), '']
    case 'fps':
      return [fixed(v, 1, locale), 'fps']
    case 'ms':
      return [fixed(v, 1, locale), 'ms']
    case 'percent':
      return [fixed(v, 1, locale), '%']
    case 'mib':
      return v >= 1024 ? [fixed(v / 1024, digitsFor(v / 1024), locale), 'GiB'] : [fixed(v, 0, locale), 'MiB']
    case 'bytes_per_s':
      return scaled(v, locale)
    case 'seconds':
      return spanParts(v, locale)
    case 'plain':
      return [v.toLocaleString(locale, { maximumSignificantDigits: 6 }), '']
  }
}

function spanParts(s: number, locale?: string): [string, string] {
  if (s >= 172_800) return [fixed(s / 86_400, 1, locale), 'd']
  if (s >= 7_200) return [fixed(s / 3_600, 1, locale), 'h']
  if (s >= 120) return [fixed(s / 60, 0, locale), 'min']
  return [fixed(s, 0, locale), 's']
}

/** How values of a unit of the API are written. */
export function kindOf(unit: string): Kind {
  const kinds: Record<string, Kind> = {
    persons: 'count',
    entities: 'count',
    samples: 'count',
    'frames/s': 'fps',
    ms: 'ms',
    '%': 'percent',
    MiB: 'mib',
    'bytes/s': 'bytes_per_s',
    s: 'seconds',
  }
  return kinds[unit] ?? 'plain'
}

const byteUnits = ['B/s', 'kB/s', 'MB/s', 'GB/s', 'TB/s']

function scaled(v: number, locale?: string): [string, string] {
  let power = 0
  while (Math.abs(v) >= 1000 && power < byteUnits.length - 1) {
    v /= 1000
    power++
  }
  return [fixed(v, power === 0 ? 0 : digitsFor(v), locale), byteUnits[power] as string]
}

/** A value on an axis: short, but never so short that neighbouring ticks read alike; its unit where that changes with size. */
export function formatAxis(kind: Kind, v: number, place: Place = {}): string {
  const short = (n: number) =>
    n.toLocaleString(place.locale, { notation: 'compact', maximumSignificantDigits: 4 })
  switch (kind) {
    case 'mib':
      return v >= 1024 ? `${short(v / 1024)} GiB` : `${short(v)} MiB`
    case 'bytes_per_s':
      return scaledAxis(v, short)
    case 'percent':
      return `${short(v)} %`
    case 'seconds':
      return v === 0 ? '0' : spanParts(v, place.locale).join(' ')
    default:
      return short(v)
  }
}

function scaledAxis(v: number, short: (n: number) => string): string {
  const power = v <= 0 ? 0 : Math.min(Math.floor(Math.log10(v) / 3), byteUnits.length - 1)
  return `${short(v / 1000 ** Math.max(0, power))} ${byteUnits[Math.max(0, power)]}`
}

/** A moment in full: "Mon 23 Nov, 14:05". */
export function formatMoment(t: number, place: Place = {}): string {
  const day = new Intl.DateTimeFormat(place.locale, {
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    timeZone: place.timeZone,
  }).format(t)
  return `${day}, ${formatClock(t, place)}`
}

/** A day with its year: "23 Nov 2026". */
export function formatDay(t: number, place: Place = {}): string {
  return new Intl.DateTimeFormat(place.locale, {
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    timeZone: place.timeZone,
  }).format(t)
}

/** A moment to the second, with its year: "23 Nov 2026, 14:05:30". */
export function formatStamp(t: number, place: Place = {}): string {
  return `${formatDay(t, place)}, ${formatClock(t, place, true)}`
}

/** The time of day: "14:05". */
export function formatClock(t: number, place: Place = {}, seconds = false): string {
  return new Intl.DateTimeFormat(place.locale, {
    hour: '2-digit',
    minute: '2-digit',
    second: seconds ? '2-digit' : undefined,
    hourCycle: 'h23',
    timeZone: place.timeZone,
  }).format(t)
}

/** A tick of the time axis: the clock, or the day at midnight. */
export function formatTick(t: number, place: Place = {}): string {
  const clock = formatClock(t, place)
  if (clock !== '00:00') return clock
  return new Intl.DateTimeFormat(place.locale, {
    day: 'numeric',
    month: 'short',
    timeZone: place.timeZone,
  }).format(t)
}

/** How long ago, roughly: "12 s", "3 min", "2 h", "4 d". */
export function formatAge(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1000))
  if (s < 90) return `${s} s`
  if (s < 90 * 60) return `${Math.round(s / 60)} min`
  if (s < 36 * 3600) return `${Math.round(s / 3600)} h`
  return `${Math.round(s / 86400)} d`
}

/** part of whole in percent; null when either is missing or the whole is nothing. */
export function share(part: number | null, whole: number | null): number | null {
  return part === null || whole === null || whole <= 0 ? null : (part / whole) * 100
}

/** By how many percent a value differs from an earlier one; null when either is missing or the earlier one is zero. */
export function changeOf(now: number | null, then: number | null): number | null {
  return now === null || then === null || then === 0 ? null : ((now - then) / then) * 100
}

/** A difference in percent with its sign: "+4.2 %", "−0.5 %". */
export function formatChange(percent: number, place: Place = {}): string {
  const text = fixed(Math.abs(percent), 1, place.locale)
  const sign = Number(text.replace(',', '.')) === 0 ? '±' : percent > 0 ? '+' : '−'
  return `${sign}${text}\u00a0%`
}

/** Bytes of a file: "1.2 MB". */
export function formatBytes(bytes: number, place: Place = {}): string {
  const [number, unit] = scaled(bytes, place.locale)
  return `${number}\u00a0${unit.replace('/s', '')}`
}
