import type { Agg, MetricName } from '@/api/types'
import type { ChartSpec, LineSpec } from './charts'
import { kindOf, type Kind } from './format'
import type { Tone } from './tones'

const line = (metric: string, agg: Agg, label: string, tone: Tone = 'main'): LineSpec => ({
  metric,
  agg,
  label,
  tone,
})

function chart(
  id: string,
  title: string,
  note: string,
  kind: Kind,
  zero: boolean,
  ...lines: LineSpec[]
): ChartSpec {
  return { id, title, note, kind, area: false, zero, lines }
}

/** The charts of a server's fields, each with all that it is worth to know of one. */
const fieldCharts: ChartSpec[] = [
  {
    ...chart('players', 'Players', 'on this server', 'count', true, line('players', 'avg', 'Players')),
    area: true,
  },
  chart(
    'slots',
    'Waiting and slots',
    'persons',
    'count',
    true,
    line('max_players', 'max', 'Slots'),
    line('queued', 'avg', 'Queued', 'second'),
    line('joining', 'avg', 'Joining', 's3'),
  ),
  chart('sleepers', 'Sleepers', 'persons', 'count', true, line('sleepers', 'avg', 'Sleepers')),
  chart(
    'fps',
    'Server FPS',
    'average, median and slowest 5 %',
    'fps',
    true,
    line('fps', 'avg', 'Average'),
    line('fps', 'p50', 'Median', 's3'),
    line('fps', 'p05', 'Slowest 5 %', 'second'),
  ),
  chart(
    'frame',
    'Frame time',
    'median and slowest frames',
    'ms',
    true,
    line('frame_ms', 'p50', 'Median'),
    line('frame_ms', 'p95', 'p95', 's3'),
    line('frame_ms', 'p99', 'p99', 'second'),
  ),
  chart(
    'entities',
    'Entities',
    'networked',
    'count',
    false,
    line('entities', 'avg', 'Average'),
    line('entities', 'max', 'Most', 'second'),
  ),
  chart(
    'memory',
    'Memory',
    'of the process',
    'mib',
    false,
    line('memory_mb', 'avg', 'Average'),
    line('memory_mb', 'max', 'Most', 'second'),
  ),
  chart(
    'cpu',
    'CPU',
    '% of one core',
    'percent',
    true,
    line('cpu_percent', 'avg', 'Average'),
    line('cpu_percent', 'max', 'Most', 'second'),
  ),
  chart(
    'network',
    'Network traffic',
    'bytes a second',
    'bytes_per_s',
    true,
    line('net_in', 'avg', 'In'),
    line('net_out', 'avg', 'Out', 'second'),
  ),
  chart('uptime', 'Uptime', 'since the process started', 'seconds', true, line('uptime_s', 'last', 'Uptime')),
]

/** The charts of what a server measures: its fields, then each custom metric by its name. */
export function serverCharts(metrics: readonly MetricName[]): { fields: ChartSpec[]; custom: ChartSpec[] } {
  const measured = new Set(metrics.map((m) => m.metric))
  const fields = fieldCharts
    .map((spec) => ({ ...spec, lines: spec.lines.filter((l) => measured.has(l.metric)) }))
    .filter((spec) => spec.lines.length > 0)
  const custom = metrics
    .filter((m) => m.custom)
    .map((m, i) =>
      chart(
        `custom-${i}`,
        m.metric.replace(/^metrics\./, ''),
        'average',
        kindOf(m.unit),
        false,
        line(m.metric, 'avg', 'Average'),
      ),
    )
  return { fields, custom }
}

/** At most so many metrics may stand in one request. */
const mostMetrics = 50

/** What to ask for charts of many metrics: one request an aggregation, or several where there are too many. */
export function chunked(
  queries: readonly { agg: Agg; metrics: string[] }[],
): { agg: Agg; metrics: string[] }[] {
  return queries.flatMap(({ agg, metrics }) => {
    const parts = []
    for (let i = 0; i < metrics.length; i += mostMetrics)
      parts.push({ agg, metrics: metrics.slice(i, i + mostMetrics) })
    return parts
  })
}
