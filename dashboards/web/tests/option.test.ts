import { describe, expect, it } from 'vitest'
import { linesOf, performanceCharts, playersChart, queriesFor, type ChartLine } from '@/lib/charts'
import { axisUnit, timeChartOption, type Picture } from '@/lib/option'
import { tones, type Tone } from '@/lib/tones'
import { answer, gap, lineOf, p, part } from './build'

const palette = {
  ...(Object.fromEntries(tones.map((t) => [t, '#999'])) as Record<Tone, string>),
  main: '#111',
  second: '#222',
  text: '#333',
  rule: '#444',
  gap: '#555',
  surface: '#fff',
  font: 'sans',
  fontSize: 11,
}
const picture = (lines: ChartLine[], over: Partial<Picture> = {}): Picture => ({
  lines,
  from: 0,
  to: 300_000,
  kind: 'fps',
  area: false,
  zero: true,
  palette,
  width: 600,
  ...over,
})

interface Drawn {
  data: unknown[]
  connectNulls: boolean
  lineStyle: { type?: unknown; color: string }
  markArea?: { data: unknown[] }
  areaStyle?: { opacity: number }
}
const series = (pic: Picture) => timeChartOption(pic).series as unknown as Drawn[]

describe('timeChartOption', () => {
  it('draws a solid and a dashed series a line, neither over gaps', () => {
    const [solid, dashed] = series(picture([lineOf(p(0, 1), p(1, 2), gap(2), p(3, 3), part(4, 4))]))
    expect(solid?.connectNulls).toBe(false)
    expect(dashed?.connectNulls).toBe(false)
    expect(solid?.lineStyle.type).toBeUndefined()
    expect(dashed?.lineStyle.type).toEqual([3, 4])
    expect(solid?.data).toEqual([
      [0, 1],
      [60_000, 2],
      [120_000, null],
      [180_000, null],
      [240_000, null],
    ])
    expect(dashed?.data[3]).toEqual([180_000, 3])
    expect(dashed?.data[4]).toMatchObject({ value: [240_000, 4], symbol: 'circle' })
  })

  it('shades what has no data, once', () => {
    const line = lineOf(p(0, 1), gap(1), p(2, 2))
    const drawn = series(picture([line, { ...line, tone: 'second' }]))
    expect(drawn.map((s) => s.markArea?.data ?? null)).toEqual([
      [[{ xAxis: 0 }, { xAxis: 120_000 }]],
      null,
      null,
      null,
    ])
  })

  it('counts memory in GiB where its labels do', () => {
    const [solid] = series(picture([lineOf(p(0, 2048), p(1, 1024))], { kind: 'mib' }))
    expect(solid?.data).toEqual([
      [0, 2],
      [60_000, 1],
    ])
    expect(axisUnit('mib', [lineOf(p(0, 512))])).toBe(1)
    expect(axisUnit('count', [lineOf(p(0, 4096))])).toBe(1)
  })

  it('shows a point without neighbours', () => {
    const [solid] = series(picture([lineOf(gap(0), p(1, 2), gap(2))]))
    expect(solid?.data[1]).toEqual({ value: [60_000, 2], symbol: 'circle' })
  })

  it('keeps the axis at the whole range, and at zero only where asked', () => {
    const option = timeChartOption(picture([lineOf(p(1, 2))]))
    expect(option.xAxis).toMatchObject({ min: 0, max: 300_000 })
    expect(option.yAxis).toMatchObject({ scale: false })
    expect(timeChartOption(picture([], { zero: false })).yAxis).toMatchObject({ scale: true })
  })

  it('takes colours from the theme and fills areas lightly', () => {
    const [solid, dashed] = series(picture([{ ...lineOf(p(0, 1)), tone: 'second' }], { area: true }))
    expect(solid?.lineStyle.color).toBe('#222')
    expect(solid?.areaStyle?.opacity).toBeGreaterThan(dashed?.areaStyle?.opacity ?? 1)
  })
})

describe('charts', () => {
  it('asks once an aggregation, each metric once', () => {
    expect(queriesFor([playersChart, ...performanceCharts])).toEqual([
      {
        agg: 'avg',
        metrics: ['players', 'fps', 'entities', 'memory_mb', 'cpu_percent', 'net_in', 'net_out'],
      },
      { agg: 'p05', metrics: ['fps'] },
      { agg: 'p95', metrics: ['frame_ms'] },
    ])
  })

  it('picks a line by metric and aggregation from whichever answer has it', () => {
    const p05 = answer()
    p05.series = [{ metric: 'fps', agg: 'p05', unit: 'fps', server_id: null, values: [30, 31] }]
    const fps = performanceCharts.find((c) => c.id === 'fps')
    if (!fps) throw new Error('no fps chart')
    const lines = linesOf(fps, [answer(), p05])
    expect(lines.map((l) => l.points.map((q) => q.v))).toEqual([
      [60, null],
      [30, 31],
    ])
    expect(linesOf(playersChart, [answer()])[0]?.points).toEqual([])
  })
})
