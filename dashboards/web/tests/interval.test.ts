import { describe, expect, it } from 'vitest'
import {
  minWindow,
  parseGoDuration,
  parseRange,
  rangeParams,
  spanOf,
  stepFor,
  stepName,
  windowOf,
} from '@/lib/interval'

const from = 1_700_000_000_000
const to = from + 3_600_000

describe('the range in the URL', () => {
  it('reads the presets', () => {
    for (const preset of ['24h', '7d', '30d'] as const) {
      expect(parseRange({ range: preset })).toEqual({ kind: 'preset', preset })
    }
  })

  it('falls back to 24 hours on anything else', () => {
    const day = { kind: 'preset', preset: '24h' }
    const bad = [{}, { range: '8d' }, { range: ['7d', '30d'] }, { from: '1', to: '2' }, { from: `${from}` }]
    const worse = [
      { from: `${to}`, to: `${to}` },
      { from: 'NaN', to: '1e99' },
      { from: `-${from}`, to: `${to}` },
    ]
    for (const query of [...bad, ...worse]) expect(parseRange(query)).toEqual(day)
  })

  it('comes back from what it wrote', () => {
    const window = { kind: 'window', from, to } as const
    expect(parseRange(rangeParams(window))).toEqual(window)
    expect(parseRange(rangeParams({ kind: 'preset', preset: '7d' }))).toEqual({
      kind: 'preset',
      preset: '7d',
    })
  })
})

describe('windowOf', () => {
  it('takes its ends in either order and cuts them to seconds', () => {
    expect(windowOf(to + 1, from + 1)).toEqual({ kind: 'window', from, to: to + 1000 })
  })

  it('refuses what is too narrow', () => {
    expect(windowOf(from, from + minWindow - 1000)).toBeNull()
    expect(windowOf(from, from + minWindow)).not.toBeNull()
  })
})

describe('steps', () => {
  it('keeps every preset under 500 buckets', () => {
    for (const preset of ['24h', '7d', '30d'] as const) {
      const range = { kind: 'preset', preset } as const
      const step = parseGoDuration(stepFor(range) ?? '')
      expect(spanOf(range) / step).toBeGreaterThan(100)
      expect(spanOf(range) / step).toBeLessThan(500)
    }
  })

  it('leaves a window to the server', () => {
    expect(stepFor({ kind: 'window', from, to })).toBeUndefined()
  })

  it('names the width that the server used', () => {
    const names = ['5m0s', '1h0m0s', '48h0m0s', '30s', '1m30s', '500ms', 'soon'].map(stepName)
    expect(names).toEqual(['5-minute', '1-hour', '2-day', '30-second', '90-second', '0.5-second', 'soon'])
  })
})
