import { expect, it } from 'vitest'
import type { StoredTable } from '@/api/types'
import { filled, limitText, perSample, settingText, tableMeaning, totalBytes } from '@/lib/retention'

const place = { locale: 'en-GB' }
const now = Date.UTC(2026, 10, 23)
const table = (over: Partial<StoredTable> = {}): StoredTable => ({
  table: 'samples',
  resolution: 'raw',
  limit: '7d',
  limit_seconds: 604_800,
  oldest: new Date(now - 302_400_000).toISOString(),
  rows: 10,
  bytes: 120,
  bytes_per_sample: 12,
  ...over,
})

it('says how long rows stay', () => {
  expect([604_800, 86_400, 34_560_000, 129_600].map((s) => limitText(s, place))).toEqual([
    '7 days',
    '1 day',
    '400 days',
    '36\u00a0h',
  ])
  expect(settingText('fixed')).toBe('Fixed')
})

it('says what a sample costs, and never zero for what stands for none', () => {
  expect([null, 8.2649, 120.4, 4_200].map((b) => perSample(b, place))).toEqual([
    '–',
    '8.26\u00a0B',
    '120\u00a0B',
    '4.20\u00a0kB',
  ])
})

it('says how far a table is towards its limit', () => {
  expect(filled(table(), now)).toBe(0.5)
  expect(filled(table({ oldest: '2020-01-01T00:00:00Z' }), now)).toBe(1)
  expect(filled(table({ oldest: null }), now)).toBeNull()
  expect(totalBytes([table(), table({ bytes: 80 })])).toBe(200)
  expect(tableMeaning('samples')).not.toBe('')
  expect(tableMeaning('another')).toBe('')
})
