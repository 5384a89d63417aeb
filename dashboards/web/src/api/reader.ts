import { bodyOf, type Http } from './http'
import type {
  Agg,
  Fill,
  GameServer,
  MarkKind,
  MarkList,
  MetricNames,
  ServerList,
  Summary,
  Timeseries,
} from './types'

/** The query parameters of a range, already worded for the API: `range`, or `from` and `to`. */
export type RangeParams = Record<string, string>

/** Which servers are asked for; none of the three means all. */
export interface Selection {
  server_id?: string[]
  tag?: string[]
  group?: string[]
}

export interface TimeseriesQuery extends Selection {
  range: RangeParams
  metrics: readonly string[]
  agg: Agg
  /** Bucket width as a duration; absent lets the server choose. */
  step?: string
  group_by?: string
  fill?: Fill
  max_points?: string
}

export interface ServersQuery extends Selection {
  state?: 'online' | 'silent'
  search?: string
  archived?: 'true' | 'false'
  sort?: string
  limit?: string
  cursor?: string
}

export interface MarksQuery extends Selection {
  range: RangeParams
  kind?: MarkKind[]
  limit?: string
}

/** Reads one network's analytics: the demo's, open to all, or those of a license. */
export interface Reader {
  summary(range: RangeParams, signal: AbortSignal, selection?: Selection): Promise<Summary>
  timeseries(query: TimeseriesQuery, signal: AbortSignal): Promise<Timeseries>
  servers(query: ServersQuery, signal: AbortSignal): Promise<ServerList>
  server(id: string, signal: AbortSignal): Promise<GameServer>
  marks(query: MarksQuery, signal: AbortSignal): Promise<MarkList>
  metrics(range: RangeParams, signal: AbortSignal, selection?: Selection): Promise<MetricNames>
}

// The demo's routes answer like those of a license; the client's types only need one of the two.
type Base = '/api/analytics' | '/api/public/demo'
const at = <P extends string>(base: Base, path: P) => `${base}/${path}` as `/api/analytics/${P}`

export function createReader(http: Http, base: Base): Reader {
  const get = <P extends 'summary' | 'timeseries' | 'servers' | 'events' | 'metrics'>(path: P) =>
    at(base, path)
  return {
    summary: (range, signal, selection) =>
      bodyOf<Summary>(
        http.GET(get('summary'), { params: { query: { ...range, ...selection } }, signal }),
        isSummary,
      ),
    timeseries: (query, signal) =>
      bodyOf<Timeseries>(
        http.GET(get('timeseries'), { params: { query: timeseriesParams(query) }, signal }),
        isTimeseries,
      ),
    servers: (query, signal) =>
      bodyOf<ServerList>(http.GET(get('servers'), { params: { query }, signal }), isServerList),
    server: (server_id, signal) =>
      bodyOf<GameServer>(
        http.GET(at(base, 'servers/{server_id}'), { params: { path: { server_id } }, signal }),
      ),
    metrics: (range, signal, selection) =>
      bodyOf<MetricNames>(
        http.GET(get('metrics'), { params: { query: { ...range, ...selection } }, signal }),
        (body) => Array.isArray(body.metrics),
      ),
    marks: ({ range, ...rest }, signal) =>
      bodyOf<MarkList>(http.GET(get('events'), { params: { query: { ...range, ...rest } }, signal })),
  }
}

/** The parameters of a timeseries request, in the contract's words. */
export function timeseriesParams({ range, metrics, ...rest }: TimeseriesQuery) {
  return { ...range, metric: [...metrics], ...rest }
}

function isSummary(value: Summary): boolean {
  return typeof value?.samples === 'number' && typeof value.servers?.total === 'number' && !!value.players
}

function isTimeseries(value: Timeseries): boolean {
  if (!Array.isArray(value?.timestamps) || !Array.isArray(value.series)) return false
  return value.series.every((s) => Array.isArray(s.values) && s.values.length === value.timestamps.length)
}

function isServerList(value: ServerList): boolean {
  return Array.isArray(value?.servers) && typeof value.total === 'number'
}
