/** What is not empty of a set of texts: parameters that choose nothing are left out. */
export function omitEmpty<T extends Record<string, string>>(texts: T): Partial<T> {
  return Object.fromEntries(Object.entries(texts).filter(([, text]) => text.trim() !== '')) as Partial<T>
}

/** The parts of the administration, in the order of their tabs. */
export const adminSections = [
  { value: 'licenses', label: 'Licenses' },
  { value: 'jobs', label: 'Jobs' },
  { value: 'modules', label: 'Modules' },
  { value: 'audit', label: 'Audit' },
  { value: 'retention', label: 'Retention' },
  { value: 'early-access', label: 'Early access' },
] as const
export type AdminSection = (typeof adminSections)[number]['value']

/** What a field of a quota means for the API: empty is the installation's, a number is the license's own. */
export function quotaOf(text: string): number | null | undefined {
  const trimmed = text.trim()
  if (trimmed === '') return null
  return /^\d{1,15}$/.test(trimmed) ? Number(trimmed) : undefined
}

/** Whole days from 1 to 3650 as typed; null for anything else. */
export function daysOf(text: string): number | null {
  const days = /^\d{1,4}$/.test(text.trim()) ? Number(text) : 0
  return days >= 1 && days <= 3650 ? days : null
}

/** How a job or a run of it stands, in words. */
export function jobStateText(state: string): string {
  const words: Record<string, string> = {
    never: 'Has not run yet',
    waiting: 'Waits for an aggregator',
    running: 'Runs',
    ok: 'Done',
    failed: 'Failed',
  }
  return words[state] ?? state
}

/** Whether a run asked for by hand is over. */
export const isOver = (state: string): boolean => state === 'ok' || state === 'failed'

/** What is wrong with a plugin file that lies elsewhere; empty when nothing is. */
export function remoteFault(url: string, sha256: string, size: string): string {
  if (!/^https:\/\/[^/]+/.test(url.trim())) return 'The address begins with https://.'
  if (!/^[0-9a-f]{64}$/i.test(sha256.trim())) return 'A SHA-256 digest has 64 hexadecimal digits.'
  return /^[1-9]\d*$/.test(size.trim()) ? '' : 'The size is a number of bytes.'
}

/** The largest upload that the API takes, bytes. */
export const uploadLimit = 32 * 1024 * 1024

/** The lines of a text that say something. */
export const linesOf = (text: string): string[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean)

/** The quotas of a license by their names in the API. */
export const quotaNames = [
  { name: 'samples_per_second', label: 'Samples a second' },
  { name: 'bytes_per_second', label: 'Bytes a second' },
  { name: 'servers', label: 'Servers in an hour' },
  { name: 'metric_names', label: 'Metric names in an hour' },
] as const
export type QuotaName = (typeof quotaNames)[number]['name']
