import { describe, expect, it } from 'vitest'
import {
  formatAge,
  formatAxis,
  formatClock,
  formatMoment,
  formatTick,
  formatValue,
  share,
  splitValue,
  type Kind,
} from '@/lib/format'

const place = { locale: 'en-GB', timeZone: 'Europe/Berlin' }
const f = (kind: Kind, v: number | null, want: string) =>
  expect(formatValue(kind, v, place).replaceAll('\u00a0', ' ')).toBe(want)

describe('formatValue', () => {
  it('writes each kind with its unit', () => {
    f('count', 1234.4, '1,234')
    f('fps', 58.94, '58.9 fps')
    f('ms', 22.06, '22.1 ms')
    f('percent', 99.95, '100.0 %')
    f('mib', 812.4, '812 MiB')
    f('mib', 8448, '8.25 GiB')
    f('bytes_per_s', 999, '999 B/s')
    f('bytes_per_s', 12_340, '12.3 kB/s')
    f('bytes_per_s', 4_560_000_000, '4.56 GB/s')
  })

  it('never writes zero for what was not measured', () => {
    f('count', null, '–')
    f('count', 0, '0')
    expect(splitValue('fps', null)).toEqual(['–', ''])
  })
})

describe('formatAxis', () => {
  it('tells neighbouring ticks apart', () => {
    expect([6_250_000, 6_300_000, 0.1 + 0.2].map((v) => formatAxis('count', v, { locale: 'en-US' }))).toEqual(
      ['6.25M', '6.3M', '0.3'],
    )
  })

  it('is short', () => {
    const at = (kind: Kind, v: number) => formatAxis(kind, v, place)
    expect([at('count', 240_000), at('fps', 60), at('mib', 8192), at('percent', 150)]).toEqual([
      '240k',
      '60',
      '8 GiB',
      '150 %',
    ])
    expect([at('bytes_per_s', 0), at('bytes_per_s', 1500), at('bytes_per_s', 2e6)]).toEqual([
      '0 B/s',
      '1.5 kB/s',
      '2 MB/s',
    ])
  })
})

describe('times', () => {
  const t = Date.UTC(2026, 10, 23, 13, 5, 9)
  it('are local to the zone', () => {
    expect(formatClock(t, place)).toBe('14:05')
    expect(formatClock(t, place, true)).toBe('14:05:09')
    expect(formatMoment(t, place)).toBe('Mon 23 Nov, 14:05')
  })

  it('name the day at midnight of the zone, on the days of clock changes too', () => {
    expect(formatTick(Date.UTC(2026, 9, 24, 22), place)).toBe('25 Oct')
    expect(formatTick(Date.UTC(2026, 9, 25, 23), place)).toBe('26 Oct')
    expect(formatTick(Date.UTC(2026, 9, 25, 22), place)).toBe('23:00')
  })

  it('say how old', () => {
    expect([-5, 12_000, 200_000, 7_300_000, 400_000_000].map(formatAge)).toEqual([
      '0 s',
      '12 s',
      '3 min',
      '2 h',
      '5 d',
    ])
  })
})

it('share is null rather than infinite or zero', () => {
  expect([share(25, 100), share(null, 100), share(5, null), share(5, 0)]).toEqual([25, null, null, null])
})
