import type { Page, Route } from '@playwright/test'
import type { GameServer, Mark, MetricName, Summary, Timeseries } from '../src/api/types'
import type { LiveTotals } from '../src/live/types'

/** The moment at which the mocked network stands still: a Monday evening in Berlin. */
export const now = Date.UTC(2026, 10, 23, 18, 2, 30)

const hour = 3_600_000
const spans: Record<string, number> = {
  '5m': hour / 12,
  '24h': 24 * hour,
  '7d': 168 * hour,
  '30d': 720 * hour,
}
const steps: Record<string, number> = { '24h': hour / 12, '7d': hour, '30d': 2 * hour }

export interface Range {
  from: number
  to: number
  step: number
}

export function rangeOf(query: URLSearchParams): Range {
  const range = query.get('range')
  if (!range) return { from: Number(query.get('from')), to: Number(query.get('to')), step: 60_000 }
  return { from: now - (spans[range] ?? 0), to: now, step: steps[range] ?? 60_000 }
}

// Noise that is the same in every run.
const noise = (n: number) => {
  const x = Math.sin(n * 12.9898) * 43758.5453
  return x - Math.floor(x) - 0.5
}

const levels: Record<string, (day: number, r: number) => number> = {
  players: (day, r) => 1250 + 620 * day + 50 * r,
  fps: (day, r) => 57 - 3 * day + 1.2 * r,
  'fps p05': (day, r) => 41 - 9 * day + 5 * r,
  frame_ms: (day, r) => 21 + 6 * day + 3 * r,
  entities: (day, r) => 6_200_000 + 240_000 * day + 25_000 * r,
  memory_mb: (day, r) => 8300 + 500 * day + 80 * r,
  cpu_percent: (day, r) => 58 + 22 * day + 5 * r,
  net_in: (day, r) => 1.1e6 + 6e5 * day + 5e4 * r,
  net_out: (day, r) => 6.2e6 + 3.4e6 * day + 2e5 * r,
}

function valueAt(metric: string, agg: string, t: number): number {
  const day = -Math.cos(((t / hour - 5) / 24) * 2 * Math.PI)
  const level = levels[`${metric} ${agg}`] ?? levels[metric]
  return level ? level(day, noise(t / 60_000 + metric.length)) : 40 + 10 * day
}

// Grouped by server a few stand for all.
const seriesOf = (query: URLSearchParams): (string | null)[] =>
  query.get('group_by') === 'server'
    ? query.getAll('server_id').length > 0
      ? query.getAll('server_id')
      : ['demo-01', 'demo-02', 'demo-03']
    : [null]

/** A day's worth of curves over the asked range; `has` says which buckets have data. */
export function timeseries(query: URLSearchParams, has: (t: number) => boolean = () => true): Timeseries {
  const { from, to, step } = rangeOf(query)
  const agg = query.get('agg') as Timeseries['series'][number]['agg']
  const timestamps: number[] = []
  for (let t = Math.floor(from / step) * step; t < to; t += step) timestamps.push(t)
  return {
    from: new Date(from).toISOString(),
    to: new Date(to).toISOString(),
    step: step >= hour ? `${step / hour}h0m0s` : `${step / 60_000}m0s`,
    source: 'raw',
    timestamps,
    partial: timestamps.map((t) => t < from || t + step > to),
    series: query.getAll('metric').flatMap((metric) =>
      seriesOf(query).map((server_id) => ({
        metric,
        agg,
        unit: fieldUnits[metric] ?? '',
        server_id,
        values: timestamps.map((t) => (has(t) ? valueAt(metric, agg, t) : null)),
      })),
    ),
  }
}

export function summary(query: URLSearchParams, over: Partial<Summary> = {}): Summary {
  const { from, to } = rangeOf(query)
  const recent = query.get('range') === '5m'
  return {
    from: new Date(from).toISOString(),
    to: new Date(to).toISOString(),
    source: 'raw',
    servers: { total: 50, reporting: recent ? 48 : 50, silent: recent ? 2 : 0 },
    samples: 432_000,
    players: {
      current: 1834,
      avg: 1251.4,
      peak: 1902,
      peak_at: new Date(now - 2 * hour).toISOString(),
      capacity: 5000,
    },
    fps: { avg: 56.9, min: 12, p05: 33.1, p50: 58.2 },
    frame_ms: { avg: 17.4, p95: 24.6, p99: 41 },
    entities: { avg: 124_300, max: 239_870 },
    memory_mb: { avg: 8310, max: 12_410 },
    cpu_percent: { avg: 58.3, max: 141.2 },
    uptime_percent: 99.42,
    restarts: 7,
    ...over,
  }
}

export const problem = (
  route: Route,
  status: number,
  title: string,
  headers: Record<string, string> = {},
  code = '',
) =>
  route.fulfill({
    status,
    headers,
    contentType: 'application/problem+json',
    body: JSON.stringify({ type: 'about:blank', title, status, code }),
  })

/** A live stream that says one thing and breaks off. */
export const liveStream = (route: Route, totals: LiveTotals) =>
  route.fulfill({
    contentType: 'text/event-stream',
    body: `retry: 2000\n\n:\n\nid: a-0-2\nevent: snapshot\ndata: ${JSON.stringify({ at: totals.at, totals, servers: [] })}\n\n`,
  })

/** Answers a path of the API; null leaves it to the default. */
export type Answer = (path: string, query: URLSearchParams, route: Route) => unknown

/** Serves the demo network's API; `answer` may take over any request by returning a body, or by fulfilling it. */
export async function mockAPI(page: Page, answer: Answer = () => null): Promise<string[]> {
  const asked: string[] = []
  // Requests of a worker are not the page's: without one the page reads its stream itself.
  await page.addInitScript(() => Reflect.deleteProperty(window, 'SharedWorker'))
  await page.route('**/api/**', async (route) => {
    const url = new URL(route.request().url())
    asked.push(url.pathname + url.search)
    const own = await answer(url.pathname, url.searchParams, route)
    if (own === true) return
    if (url.pathname.endsWith('/live')) return void (await problem(route, 503, 'No live streams here'))
    await route.fulfill({ json: own ?? usual(url) })
  })
  return asked
}

function usual(url: URL): unknown {
  const { pathname, searchParams } = url
  if (pathname.endsWith('/summary')) return summary(searchParams)
  if (pathname.endsWith('/servers')) return { servers: servers(), total: servers().length, next: null }
  if (pathname.includes('/servers/'))
    return servers().find((s) => pathname.endsWith(`/${s.server_id}`)) ?? servers()[0]
  if (pathname.endsWith('/events')) return { events: marks(), from: '', to: '', next: null }
  if (pathname.endsWith('/metrics')) return { metrics: metricNames, more: false }
  if (pathname === '/api/modules/installations') return { installations: [], next: null }
  if (pathname.endsWith('/exports')) return { exports: [] }
  return timeseries(searchParams)
}

const fieldUnits: Record<string, string> = {
  players: 'persons',
  max_players: 'persons',
  queued: 'persons',
  fps: 'frames/s',
  frame_ms: 'ms',
  entities: 'entities',
  memory_mb: 'MiB',
  cpu_percent: '%',
  net_in: 'bytes/s',
  net_out: 'bytes/s',
  uptime_s: 's',
}
export const metricNames: MetricName[] = [
  ...Object.entries(fieldUnits).map(([metric, unit]) => ({ metric, unit, custom: false, servers: 50 })),
  ...['loot.spawned', 'seed', 'vip.online'].map((name) => ({
    metric: `metrics.${name}`,
    unit: '',
    custom: true,
    servers: 12,
  })),
]

/** So many servers; one is silent for an hour, one is slow. */
export function servers(count = 50): GameServer[] {
  return Array.from({ length: count }, (_, i) => {
    const silent = i === 7
    const load = 0.5 + noise(i * 7)
    return {
      archived_at: null,
      expected_interval_s: 10,
      first_seen: new Date(now - 720 * hour).toISOString(),
      groups: [],
      last_seen: new Date(now - (silent ? hour : 4_000)).toISOString(),
      latest: {
        players: Math.round(200 * load),
        max_players: 200,
        fps: i === 3 ? 11.4 : 58 + noise(i),
        frame_ms: i === 3 ? 88 : 17 + noise(i),
        entities: Math.round(90_000 + 80_000 * load),
        memory_mb: 7_000 + 3_000 * load,
        cpu_percent: 40 + 40 * load,
        uptime_s: 86_400 * (1 + load),
      },
      map: ['Procedural Map', 'Barren', 'Hapis Island'][i % 3] as string,
      name: '',
      notes: '',
      registered: false,
      server_id: `demo-${String(i + 1).padStart(2, '0')}`,
      sparkline: {
        from: '',
        metric: 'players',
        step: '1h',
        values: Array.from({ length: 24 }, (__, h) =>
          silent && h > 22 ? null : Math.round(100 + 90 * Math.sin((h + i) / 4)),
        ),
      },
      state: silent ? ('silent' as const) : ('online' as const),
      tags: { region: i % 2 ? 'eu' : 'us' },
      version: '2592.1',
    }
  })
}

export function marks(): Mark[] {
  const mark = (hours: number, kind: Mark['kind'], title: string, server_id: string | null): Mark => ({
    id: `00000000-0000-4000-8000-${String(Math.round(hours * 10)).padStart(12, '0')}`,
    ts: new Date(now - hours * hour).toISOString(),
    received_at: new Date(now - hours * hour).toISOString(),
    kind,
    title,
    server_id,
    text: '',
    data: null,
    source: 'samples',
  })
  return [
    mark(1.5, 'restart', 'Restart', 'demo-04'),
    mark(6, 'deploy', 'Loot 1.4', null),
    mark(14, 'wipe', 'Forced wipe', null),
    mark(14.1, 'restart', 'Restart', 'demo-01'),
  ]
}
