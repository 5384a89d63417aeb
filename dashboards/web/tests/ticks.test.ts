import { afterEach, expect, it, vi } from 'vitest'
import { timeTicks } from '@/lib/ticks'

afterEach(() => vi.unstubAllEnvs())

const inZone = (zone: string, f: () => void) => {
  vi.stubEnv('TZ', zone)
  f()
}
const clocks = (ticks: number[]) => ticks.map((t) => new Date(t).toTimeString().slice(0, 5))
const days = (ticks: number[]) =>
  ticks.map((t) => `${new Date(t).getDate()} ${new Date(t).toTimeString().slice(0, 5)}`)

it('labels a day at round hours', () => {
  const to = Date.UTC(2026, 10, 23, 19, 2)
  const ticks = timeTicks(to - 86_400_000, to, 6)
  expect(clocks(ticks)).toEqual(['00:00', '06:00', '12:00', '18:00'])
})

it('labels an hour at round minutes', () => {
  const from = Date.UTC(2026, 10, 23, 18, 7)
  expect(clocks(timeTicks(from, from + 3_600_000, 6))).toEqual([
    '18:10',
    '18:20',
    '18:30',
    '18:40',
    '18:50',
    '19:00',
  ])
})

it('spaces days evenly over the turn of a month, today among them', () => {
  const to = Date.UTC(2026, 10, 23, 19)
  const ticks = timeTicks(to - 30 * 86_400_000, to, 8)
  expect(days(ticks)).toEqual(['29 00:00', '3 00:00', '8 00:00', '13 00:00', '18 00:00', '23 00:00'])
})

it('keeps to local midnights and round hours when the clocks change', () => {
  inZone('Europe/Berlin', () => {
    const to = new Date(2026, 9, 26, 12).getTime()
    expect(days(timeTicks(to - 4 * 86_400_000, to, 5))).toEqual([
      '23 00:00',
      '24 00:00',
      '25 00:00',
      '26 00:00',
    ])
    const morning = new Date(2026, 9, 25, 0).getTime()
    expect(clocks(timeTicks(morning, morning + 86_400_000, 8))).toEqual([
      '00:00',
      '03:00',
      '06:00',
      '09:00',
      '12:00',
      '15:00',
      '18:00',
      '21:00',
    ])
    const spring = new Date(2026, 2, 29, 0).getTime()
    expect(clocks(timeTicks(spring, spring + 82_800_000, 8)).slice(0, 3)).toEqual(['00:00', '03:00', '06:00'])
  })
})

it('gives round local times in zones of half hours', () => {
  inZone('Asia/Kolkata', () => {
    const from = new Date(2026, 10, 23, 10, 10).getTime()
    expect(clocks(timeTicks(from, from + 4 * 3_600_000, 5))).toEqual(['11:00', '12:00', '13:00', '14:00'])
  })
})

it('never gives more than asked, save in ranges of years', () => {
  const to = Date.UTC(2026, 10, 23, 19, 2, 30)
  for (let span = 300_000; span < 400 * 86_400_000; span *= 1.7) {
    const n = timeTicks(to - span, to, 7).length
    expect(n).toBeGreaterThan(1)
    expect(n).toBeLessThanOrEqual(8)
  }
})
