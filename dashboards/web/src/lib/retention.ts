import type { StoredTable } from '@/api/types'
import { formatBytes, formatValue, nothing, type Place } from './format'

/** A table with its limit; how old its rows are is counted for a network alone. */
export type KeptTable = { resolution: string } & Pick<
  StoredTable,
  'table' | 'limit_seconds' | 'rows' | 'bytes'
> &
  Partial<Pick<StoredTable, 'oldest' | 'bytes_per_sample'>>

/** What stands in the tables that people may read. */
const meanings: Record<string, string> = {
  samples: 'Every sample as it came',
  license_minutely: 'The network by the minute, behind its totals',
  license_minutely_totals: 'Totals of the network by the minute',
  samples_hourly: 'Figures of each server and hour',
  metrics_hourly: 'Custom metrics by the hour',
  network_hourly: 'Peaks of the network by the hour',
  license_hourly: 'The network by the hour',
  license_hourly_totals: 'Totals of the network by the hour',
  server_daily: 'Figures of each server and day',
  events: 'Marks: wipes, restarts, deploys, notes',
  ingest_log: 'What became of published samples',
}

export const tableMeaning = (table: string): string => meanings[table] ?? ''

/** "7 days", "90 days", "36 h": how old rows become. */
export function limitText(seconds: number, place: Place = {}): string {
  const days = seconds / 86_400
  if (Number.isInteger(days)) return `${days.toLocaleString(place.locale)} ${days === 1 ? 'day' : 'days'}`
  return `${(seconds / 3_600).toLocaleString(place.locale, { maximumFractionDigits: 1 })}\u00a0h`
}

/** Which setting moves a limit. */
export function settingText(resolution: string): string {
  const texts: Record<string, string> = { raw: 'For samples', hourly: 'For hours' }
  return texts[resolution] ?? 'Fixed'
}

/** Bytes over samples: "8.3 B"; a dash where rows stand for no samples. */
export function perSample(bytes: number | null, place: Place = {}): string {
  if (bytes === null) return nothing
  if (bytes >= 1000) return formatBytes(bytes, place)
  return `${bytes.toLocaleString(place.locale, { maximumSignificantDigits: 3 })}\u00a0B`
}

export const rowsText = (rows: number, place: Place = {}): string => formatValue('count', rows, place)

/** How far a table is towards its limit, 0 to 1; null without a row. */
export function filled(table: KeptTable, now: number): number | null {
  if (!table.oldest || table.limit_seconds <= 0) return null
  return Math.min(1, Math.max(0, (now - Date.parse(table.oldest)) / 1000 / table.limit_seconds))
}

/** What everything takes up together. */
export const totalBytes = (tables: readonly KeptTable[]): number =>
  tables.reduce((sum, t) => sum + t.bytes, 0)
