import { expect, test } from 'vitest'
import type { IngestBody, IngestOutcome } from '@/api/platform'
import {
  chosenText,
  deadAct,
  filling,
  fullness,
  ingestMinutes,
  ingestRangeOf,
  lastArrival,
  outcomeText,
  quotaUses,
  reasonsOf,
  refusedSamples,
} from '@/lib/ingest'

const place = { locale: 'en-GB' }
const outcome = (name: string, counts: number[], unit: IngestOutcome['unit'] = 'samples'): IngestOutcome => ({
  outcome: name,
  unit,
  stored: name === 'accepted',
  advice: '',
  bytes: 0,
  counts,
  total: counts.reduce((a, b) => a + b, 0),
})
const body: IngestBody = {
  from: '',
  to: '',
  step: '1m0s',
  timestamps: [0, 60_000, 120_000],
  quotas: { samples_per_second: 100, bytes_per_second: null, servers: 20, metric_names: null },
  peak: { samples_per_second: 25, bytes_per_second: 5000 },
  outcomes: [
    outcome('accepted', [10, 20, 0]),
    outcome('quota_servers', [0, 4, 0]),
    outcome('rejected:bad_ts', [1, 0, 0]),
    outcome('quota_metrics', [7, 0, 0], 'values'),
  ],
}

test('outcomes have words', () => {
  expect(outcomeText('accepted')).toBe('Stored')
  expect(outcomeText('rejected:bad_ts')).toBe('Rejected: bad ts')
  expect(outcomeText('something_new')).toBe('Something new')
})

test('values of custom metrics are no samples', () => {
  expect(refusedSamples(body.outcomes)).toBe(5)
})

test('the newest bucket in which anything arrived', () => {
  expect(lastArrival(body)).toBe(60_000)
  expect(lastArrival({ timestamps: [0], outcomes: [] })).toBeNull()
})

test('quotas with their use and what they refused', () => {
  const [samples, bytes, servers] = quotaUses(body, place)
  expect(samples).toEqual({ name: 'Samples a second', limit: '100', used: '25', percent: 25, refused: 0 })
  expect(bytes).toMatchObject({ limit: 'without bound', percent: null })
  expect(servers).toMatchObject({ limit: '20', used: null, percent: null, refused: 4 })
})

test('streams with and without a bound', () => {
  expect(fullness({ bytes: 5, max_bytes: 20 })).toBe(25)
  expect(fullness({ bytes: 5, max_bytes: -1 })).toBeNull()
  expect(filling({ bytes: 1500, max_bytes: 3000 }, place)).toBe('1.50\u00a0kB of 3.00\u00a0kB')
  expect(filling({ bytes: 0, max_bytes: -1 }, place)).toBe('0\u00a0B, without bound')
})

test('reasons come with the most frequent first', () => {
  const reasons = reasonsOf({ 'rejected:bad_ts': 2, quota_bytes: 9, quota_servers: 0 })
  expect(reasons.map((r) => r.text)).toEqual(['Over the bytes quota', 'Rejected: bad ts'])
})

test('a range of a URL, in minutes', () => {
  expect(ingestRangeOf('1h')).toBe('1h')
  expect(ingestRangeOf(['1h'])).toBe('24h')
  expect(ingestMinutes('7d')).toBe('10080')
})

test('all dead letters have to be meant expressly', () => {
  expect(deadAct({ license_id: '', reason: ' ' })).toEqual({ all: true })
  expect(deadAct({ license_id: '', reason: 'bad_json' })).toEqual({ reason: 'bad_json' })
  expect(chosenText('purge', 1)).toBe('1 letter removed')
  expect(chosenText('replay', 2)).toBe('2 letters replayed')
})
