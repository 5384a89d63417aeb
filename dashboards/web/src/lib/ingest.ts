import type { IngestBody, IngestOutcome, StreamHealth } from '@/api/platform'
import { formatBytes, formatValue, share, type Place } from './format'
import { omitEmpty } from './platform'

/** The ranges that ingest can be looked at over, as the API words them. */
export const ingestRanges = [
  { value: '1h', label: 'Last hour' },
  { value: '24h', label: 'Last 24 hours' },
  { value: '7d', label: 'Last 7 days' },
] as const
export type IngestRange = (typeof ingestRanges)[number]['value']

/** The range of a URL; what is none there is a day. */
export function ingestRangeOf(value: unknown): IngestRange {
  return ingestRanges.find((r) => r.value === value)?.value ?? '24h'
}

const names: Record<string, string> = {
  accepted: 'Stored',
  duplicate: 'Sent twice',
  quota_samples: 'Over the samples quota',
  quota_bytes: 'Over the bytes quota',
  quota_servers: 'Over the servers quota',
  quota_metrics: 'Over the metric names quota',
}

/** What became of samples, in words: "Rejected: bad ts". */
export function outcomeText(outcome: string): string {
  const known = names[outcome]
  if (known) return known
  const words = outcome.replace(/^rejected:/, 'Rejected: ').replaceAll('_', ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}

/** Whether an outcome lost something: bad, or beyond a quota. */
export const isRefused = (outcome: string): boolean => outcome !== 'accepted' && outcome !== 'duplicate'

/** Samples that were not stored; values of custom metrics are not samples. */
export const refusedSamples = (outcomes: readonly IngestOutcome[]): number =>
  outcomes.reduce((sum, o) => sum + (isRefused(o.outcome) && o.unit === 'samples' ? o.total : 0), 0)

/** How many an outcome had; 0 where it never came about. */
export const totalOf = (outcomes: readonly IngestOutcome[], outcome: string): number =>
  outcomes.find((o) => o.outcome === outcome)?.total ?? 0

/** The start of the newest bucket in which anything arrived, epoch ms; null when none did. */
export function lastArrival({
  timestamps,
  outcomes,
}: Pick<IngestBody, 'timestamps' | 'outcomes'>): number | null {
  for (let i = timestamps.length - 1; i >= 0; i--)
    if (outcomes.some((o) => (o.counts[i] ?? 0) > 0)) return timestamps[i] ?? null
  return null
}

/** A quota with how much of it the busiest minute used. */
export interface QuotaUse {
  name: string
  limit: string
  /** The busiest minute, written; null where the API does not count the use. */
  used: string | null
  /** 0 and more, in percent; null without a bound or a count. */
  percent: number | null
  /** What was refused because of it. */
  refused: number
}

/** The four quotas as rows; a limit of null is without bound. */
export function quotaUses({ quotas, peak, outcomes }: IngestBody, place: Place = {}): QuotaUse[] {
  const count = (v: number) => formatValue('count', v, place)
  const rate = (v: number) => formatValue('plain', v, place)
  const row = (
    name: string,
    quota: number | null,
    write: (v: number) => string,
    kind: string,
    used?: number,
  ) => ({
    name,
    limit: quota === null ? 'without bound' : write(quota),
    used: used === undefined ? null : write(used),
    percent: used === undefined ? null : share(used, quota),
    refused: totalOf(outcomes, kind),
  })
  const bytes = (v: number) => formatValue('bytes_per_s', v, place)
  return [
    row('Samples a second', quotas.samples_per_second, rate, 'quota_samples', peak.samples_per_second),
    row('Bytes a second', quotas.bytes_per_second, bytes, 'quota_bytes', peak.bytes_per_second),
    row('Servers in an hour', quotas.servers, count, 'quota_servers'),
    row('Metric names in an hour', quotas.metric_names, count, 'quota_metrics'),
  ]
}

/** How full a stream is, in percent; null without a bound. */
export const fullness = ({ bytes, max_bytes }: Pick<StreamHealth, 'bytes' | 'max_bytes'>): number | null =>
  share(bytes, max_bytes > 0 ? max_bytes : null)

/** What a stream holds of what it may: "1.2 MB of 8.6 GB". */
export function filling(
  { bytes, max_bytes }: Pick<StreamHealth, 'bytes' | 'max_bytes'>,
  place: Place = {},
): string {
  return max_bytes > 0
    ? `${formatBytes(bytes, place)} of ${formatBytes(max_bytes, place)}`
    : `${formatBytes(bytes, place)}, without bound`
}

/** Refusals by reason, the most frequent first. */
export function reasonsOf(
  reasons: Record<string, number>,
): { reason: string; text: string; count: number }[] {
  return Object.entries(reasons)
    .filter(([, count]) => count > 0)
    .map(([reason, count]) => ({ reason, text: outcomeText(reason), count }))
    .sort((a, b) => b.count - a.count || a.reason.localeCompare(b.reason))
}

/** A range in minutes, as the platform's route counts. */
export function ingestMinutes(range: IngestRange): string {
  const minutes: Record<IngestRange, string> = { '1h': '60', '24h': '1440', '7d': '10080' }
  return minutes[range]
}

/** Which dead letters an action takes: without a filter all of them have to be meant expressly. */
export function deadAct(filter: { license_id: string; reason: string }) {
  const chosen = omitEmpty(filter)
  return Object.keys(chosen).length > 0 ? chosen : { all: true }
}

/** "3 letters replayed". */
export function chosenText(act: 'replay' | 'purge', done: number): string {
  return `${done} ${done === 1 ? 'letter' : 'letters'} ${act === 'replay' ? 'replayed' : 'removed'}`
}
