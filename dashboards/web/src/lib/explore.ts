/** What the explore page asks and how its URL says it. Pure. */
import type { Agg, MetricName, Timeseries } from '@/api/types'
import type { ChartLine, ChartSpec } from './charts'
import { kindOf } from './format'
import { toPoints } from './points'
import { toneAt } from './tones'

export const aggs: readonly Agg[] = ['avg', 'min', 'max', 'sum', 'last', 'p05', 'p50', 'p95', 'p99', 'count']

/** One metric, as it is to be aggregated and split. */
export interface ExploreQuery {
  metric: string
  agg: Agg
  /** '', 'server', 'group' or 'tag:<key>'. */
  groupBy: string
  /** Only these servers; none means all. */
  servers: string[]
}

export const firstQuery: ExploreQuery = { metric: 'players', agg: 'avg', groupBy: '', servers: [] }

/** So many queries may stand beside each other. */
export const mostQueries = 10
/** So many lines of one chart can still be told apart. */
export const mostLines = 20

const metricName = /^(metrics\.)?[A-Za-z0-9_.:/-]{1,104}$/
const serverId = /^[A-Za-z0-9_-]{1,64}$/
const grouping = /^(|server|group|tag:[A-Za-z0-9_.-]{1,64})$/

/** A query as the URL has it: metric~agg~grouping~server,server; none of these can hold a tilde. */
export function queryText({ metric, agg, groupBy, servers }: ExploreQuery): string {
  return [metric, agg, groupBy, servers.join(',')].join('~').replace(/~+$/, '')
}

/** Reads the queries of a URL; what cannot be one is left out, and no query at all means the first. */
export function parseQueries(value: unknown): ExploreQuery[] {
  const texts = Array.isArray(value) ? value : [value]
  const queries = texts.flatMap((text) => (typeof text === 'string' ? parseQuery(text) : []))
  return queries.length > 0 ? queries.slice(0, mostQueries) : [firstQuery]
}

function parseQuery(text: string): ExploreQuery[] {
  const [metric = '', agg = '', groupBy = '', servers = ''] = text.split('~')
  const known = aggs.find((a) => a === agg)
  if (!metricName.test(metric) || !known || !grouping.test(groupBy)) return []
  return [{ metric, agg: known, groupBy, servers: servers.split(',').filter((s) => serverId.test(s)) }]
}

/** A step as the URL has it, a duration such as 30s, 5m or 1h; empty leaves it to the server. */
export function parseStep(value: unknown): string {
  return typeof value === 'string' && /^\d{1,6}(s|m|h|d)$/.test(value) ? value : ''
}

/** A chart of the page: all queries of one unit share an axis. */
export interface Panel {
  spec: ChartSpec
  lines: ChartLine[]
  /** How many lines there are that are not drawn: those with the lowest mean. */
  hidden: number
}

const short = (metric: string) => metric.replace(/^metrics\./, '')

function labelOf(query: ExploreQuery, series: Timeseries['series'][number]): string {
  const part = series.server_id ?? series.tag ?? series.group
  const base = `${short(query.metric)} ${query.agg}`
  if (query.groupBy !== '' && part) return `${part}: ${base}`
  return query.servers.length > 0 ? `${base} (${query.servers.join(', ')})` : base
}

/** The panels for queries and their answers, one a unit, in the order in which units come. */
export function panelsOf(queries: readonly ExploreQuery[], answers: readonly (Timeseries | null)[]): Panel[] {
  const byUnit = new Map<string, { query: ExploreQuery; answer: Timeseries; index: number }[]>()
  queries.forEach((query, index) => {
    const answer = answers[index]
    if (!answer) return
    // A count is of samples, whatever the metric's unit.
    const unit = query.agg === 'count' ? 'samples' : (answer.series[0]?.unit ?? '')
    byUnit.set(unit, [...(byUnit.get(unit) ?? []), { query, answer, index }])
  })
  return [...byUnit].map(([unit, parts], i) => panel(`panel-${i}`, unit, parts))
}

function panel(id: string, unit: string, parts: { query: ExploreQuery; answer: Timeseries }[]): Panel {
  const all = parts.flatMap(({ query, answer }) =>
    answer.series.map((series, i) => ({
      metric: query.metric,
      agg: query.agg,
      label: labelOf(query, series),
      points: toPoints(answer, i),
    })),
  )
  const kept = all.length > mostLines ? highest(all, mostLines) : all
  const titles = [...new Set(parts.map((p) => short(p.query.metric)))]
  return {
    spec: {
      id,
      title: titles.join(', '),
      note: unit,
      kind: kindOf(unit),
      area: false,
      zero: false,
      lines: [],
    },
    lines: kept.map((line, i) => ({ ...line, tone: toneAt(i) })),
    hidden: all.length - kept.length,
  }
}

function highest<L extends { points: { v: number | null }[] }>(lines: L[], most: number): L[] {
  const mean = ({ points }: L) => {
    const values = points.flatMap((p) => (p.v === null ? [] : [p.v]))
    return values.length === 0 ? -Infinity : values.reduce((a, b) => a + b, 0) / values.length
  }
  const kept = new Set([...lines].sort((a, b) => mean(b) - mean(a)).slice(0, most))
  return lines.filter((l) => kept.has(l))
}

/** Metrics whose name has the text in it, those that begin with it first. */
export function findMetrics(metrics: readonly MetricName[], text: string, most: number): MetricName[] {
  const wanted = text.trim().toLowerCase()
  const found = metrics.filter((m) => m.metric.toLowerCase().includes(wanted))
  const begins = (m: MetricName) => (short(m.metric).toLowerCase().startsWith(wanted) ? 0 : 1)
  return found.sort((a, b) => begins(a) - begins(b) || Number(a.custom) - Number(b.custom)).slice(0, most)
}
