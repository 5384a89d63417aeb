import type { ComposeOption } from 'echarts/core'
import type { LineSeriesOption } from 'echarts/charts'
import type { GridComponentOption, MarkAreaComponentOption } from 'echarts/components'
import type { ChartLine } from './charts'
import { formatAxis, formatTick, type Kind, type Place } from './format'
import { gaps, segments, type Cell } from './points'
import { timeTicks } from './ticks'
import type { Tone } from './tones'

export type TimeChartOption = ComposeOption<LineSeriesOption | GridComponentOption | MarkAreaComponentOption>

/** The colours of a theme, as the stylesheet names them. */
export interface Palette extends Record<Tone, string> {
  text: string
  rule: string
  gap: string
  surface: string
  font: string
  /** Of axis labels, px. */
  fontSize: number
}

/** All that a chart's picture depends on. */
export interface Picture {
  lines: ChartLine[]
  /** The whole range, epoch ms: the axis shows it even where nothing was measured. */
  from: number
  to: number
  kind: Kind
  area: boolean
  zero: boolean
  palette: Palette
  /** The chart's width, px: it bounds the number of labels. */
  width: number
  place?: Place
}

/** The margins around the plot, px; the cross-hair is laid over the picture by them. */
export const plot = { left: 60, right: 12, top: 14, bottom: 26 } as const

/**
 * What one step of the value axis counts in: 1, or 1024 where MiB are read as GiB, so that ticks are round
 * in what the labels say. A value stands at value / axisUnit.
 */
export function axisUnit(kind: Kind, lines: readonly ChartLine[]): number {
  if (kind !== 'mib') return 1
  return lines.some((l) => l.points.some((p) => (p.v ?? 0) >= 1024)) ? 1024 : 1
}

/** Draws lines over time: whole buckets solid, partial ones dashed, gaps left open and shaded. */
export function timeChartOption(picture: Picture): TimeChartOption {
  return {
    animation: false,
    textStyle: { fontFamily: picture.palette.font },
    grid: { ...plot, containLabel: false },
    xAxis: timeAxis(picture),
    yAxis: valueAxis(picture),
    series: picture.lines.flatMap((line, i) => lineSeries(line, picture, i === 0)),
  } satisfies TimeChartOption
}

/** What of the time axis changes when the range is moved. */
export function timeAxisRange(from: number, to: number, width: number) {
  return {
    min: from,
    max: to,
    axisLabel: { customValues: timeTicks(from, to, Math.max(2, Math.floor(width / 80))) },
  }
}

function timeAxis({ from, to, palette, width, place }: Picture): TimeChartOption['xAxis'] {
  const range = timeAxisRange(from, to, width)
  return {
    type: 'time',
    ...range,
    axisLine: { lineStyle: { color: palette.rule } },
    axisTick: { show: false },
    splitLine: { show: false },
    axisLabel: {
      color: palette.text,
      fontSize: palette.fontSize,
      hideOverlap: true,
      ...range.axisLabel,
      formatter: (t: number) => formatTick(t, place),
    },
  }
}

function valueAxis({ kind, zero, palette, place, lines }: Picture): TimeChartOption['yAxis'] {
  const unit = axisUnit(kind, lines)
  return {
    type: 'value',
    scale: !zero,
    splitNumber: 3,
    axisLine: { show: false },
    axisTick: { show: false },
    splitLine: { lineStyle: { color: palette.rule } },
    axisLabel: {
      color: palette.text,
      fontSize: palette.fontSize,
      formatter: (v: number) => formatAxis(kind, v * unit, place),
    },
  }
}

function lineSeries(line: ChartLine, picture: Picture, first: boolean): LineSeriesOption[] {
  const { solid, dashed, lone } = segments(line.points)
  const unit = axisUnit(picture.kind, picture.lines)
  const inUnit = ([t, v]: Cell): Cell => [t, v === null ? null : v / unit]
  const color = picture.palette[line.tone satisfies Tone]
  const before = line.tone === 'before'
  const base = baseSeries(color, picture.area && !before, before ? 1.25 : 1.75)
  // However narrow a bucket is on the screen, the ring says that the newest one is not complete.
  const ring = line.points.at(-1)?.partial ? dashed.length - 1 : -1
  const open = {
    symbol: 'circle',
    symbolSize: 7,
    itemStyle: { color: picture.palette.surface, borderColor: color, borderWidth: 1.5 },
  }
  return [
    {
      ...base,
      name: line.label,
      data: solid.map((cell) =>
        lone.has(cell[0]) ? { value: inUnit(cell), symbol: 'circle' } : inUnit(cell),
      ),
      markArea: first ? gapAreas(picture) : undefined,
    },
    {
      ...base,
      name: `${line.label} (partial)`,
      data: dashed.map((cell, i) => (i === ring ? { value: inUnit(cell), ...open } : inUnit(cell))),
      lineStyle: { ...base.lineStyle, type: [3, 4] },
      areaStyle: base.areaStyle ? { ...base.areaStyle, opacity: 0.05 } : undefined,
    },
  ]
}

function baseSeries(color: string, area: boolean, width: number) {
  return {
    type: 'line',
    color,
    connectNulls: false,
    symbol: 'none',
    symbolSize: 5,
    silent: true,
    lineStyle: { width, color, join: 'round' },
    areaStyle: area ? { color, opacity: 0.14 } : undefined,
  } satisfies LineSeriesOption
}

function gapAreas({ lines, from, to, palette }: Picture): LineSeriesOption['markArea'] {
  return {
    silent: true,
    itemStyle: { color: palette.gap },
    data: gaps(
      lines.filter((l) => l.tone !== 'before'),
      from,
      to,
    ).map(([a, b]) => [{ xAxis: a }, { xAxis: b }]),
  }
}
