import type { ChartLine } from './charts'
import { allTimes, pointAt } from './points'

// What a spreadsheet would run as a formula is text.
const cell = (text: string) => {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

/** What a chart shows as CSV (RFC 4180): a row a bucket, times in RFC 3339 UTC, empty where nothing was measured. */
export function chartCsv(lines: readonly ChartLine[]): string {
  const header = ['time', ...lines.map((l) => cell(`${l.metric} ${l.agg} (${l.label})`)), 'partial']
  const rows = allTimes(lines).map((t) => {
    const points = lines.map((l) => pointAt(l, t))
    const values = points.map((p) => (p?.v === null || p === undefined ? '' : String(p.v)))
    return [new Date(t).toISOString(), ...values, String(points.some((p) => p?.partial))]
  })
  return [header, ...rows].map((row) => row.join(',') + '\r\n').join('')
}
