import type { Agg, Timeseries } from '@/api/types'
import type { Kind } from './format'
import { shiftLine, toLines, type Line } from './points'
import type { Tone } from './tones'

/** A line that a chart wants. */
export interface LineSpec {
  metric: string
  agg: Agg
  label: string
  tone: Tone
}

/** A chart of the overview: what it shows and how its values are written. */
export interface ChartSpec {
  id: string
  title: string
  /** What the values are of, in a few words. */
  note: string
  kind: Kind
  area: boolean
  /** The y axis begins at zero; without it small changes of a large level stay readable. */
  zero: boolean
  lines: LineSpec[]
}

const line = (metric: string, agg: Agg, label: string, tone: Tone = 'main'): LineSpec => ({
  metric,
  agg,
  label,
  tone,
})

export const playersChart: ChartSpec = {
  id: 'players',
  title: 'Players',
  note: 'on the whole network',
  kind: 'count',
  area: true,
  zero: true,
  lines: [line('players', 'avg', 'Players')],
}

export const performanceCharts: ChartSpec[] = [
  {
    id: 'fps',
    title: 'Server FPS',
    note: 'over all servers',
    kind: 'fps',
    area: false,
    zero: true,
    lines: [line('fps', 'avg', 'Average'), line('fps', 'p05', 'Slowest 5 %', 'second')],
  },
  {
    id: 'frame',
    title: 'Frame time',
    note: '95th percentile over all servers',
    kind: 'ms',
    area: false,
    zero: true,
    lines: [line('frame_ms', 'p95', 'p95')],
  },
  {
    id: 'entities',
    title: 'Entities',
    note: 'on the whole network',
    kind: 'count',
    area: false,
    zero: false,
    lines: [line('entities', 'avg', 'Entities')],
  },
  {
    id: 'memory',
    title: 'Memory',
    note: 'average of a server',
    kind: 'mib',
    area: false,
    zero: false,
    lines: [line('memory_mb', 'avg', 'Average')],
  },
  {
    id: 'cpu',
    title: 'CPU',
    note: 'average of a server, % of one core',
    kind: 'percent',
    area: false,
    zero: true,
    lines: [line('cpu_percent', 'avg', 'Average')],
  },
  {
    id: 'network',
    title: 'Network traffic',
    note: 'on the whole network',
    kind: 'bytes_per_s',
    area: false,
    zero: true,
    lines: [line('net_in', 'avg', 'In'), line('net_out', 'avg', 'Out', 'second')],
  },
]

export const allCharts: ChartSpec[] = [playersChart, ...performanceCharts]

/** One request an aggregation, with every metric that the charts want under it. */
export function queriesFor(charts: readonly ChartSpec[]): { agg: Agg; metrics: string[] }[] {
  const byAgg = new Map<Agg, Set<string>>()
  for (const { metric, agg } of charts.flatMap((c) => c.lines)) {
    byAgg.set(agg, (byAgg.get(agg) ?? new Set()).add(metric))
  }
  return [...byAgg].map(([agg, metrics]) => ({ agg, metrics: [...metrics] }))
}

/** A chart's wanted line with what the server answered; without an answer it has no points. */
export interface ChartLine extends Line {
  label: string
  tone: Tone
}

/** The lines of one chart, picked from the answers to queriesFor. */
export function linesOf(chart: ChartSpec, answers: readonly Timeseries[]): ChartLine[] {
  const lines = answers.flatMap(toLines)
  return chart.lines.map((spec) => {
    const found = lines.find((l) => l.metric === spec.metric && l.agg === spec.agg)
    return { ...spec, points: found?.points ?? [] }
  })
}

/** A chart's lines of an earlier time, moved by ms onto the present ones; only the first, or nobody could tell them apart. */
export function linesBefore(
  chart: ChartSpec,
  answers: readonly Timeseries[],
  ms: number,
  label: string,
): ChartLine[] {
  const [first] = linesOf(chart, answers)
  return first ? [{ ...shiftLine(first, ms), label, tone: 'before' }] : []
}
