import type { Route } from '@playwright/test'
import { now, problem, type Answer } from './mock'

/** What platform administrators and a network's own people see of ingest, jobs, licenses and modules: made up. */
const ago = (minutes: number) => new Date(now - minutes * 60_000).toISOString()
export const license = {
  license_id: 'aaaaaaaa-0000-4000-8000-000000000001',
  name: 'Rusty Europe',
  owner: 'ada@example.org',
  members: 3,
  created_at: ago(90_000),
  suspended_at: null as string | null,
  suspended_reason: '',
}
const quota = (own: number | null, effective: number | null) => ({ own, effective })

export const ingest = () => {
  const outcome = (name: string, counts: number[], advice: string) => ({
    outcome: name,
    unit: 'samples',
    stored: name === 'accepted',
    advice,
    total: counts.reduce((a, b) => a + b, 0),
    bytes: 1_200 * counts.length,
    counts,
  })
  return {
    quotas: { samples_per_second: 100, bytes_per_second: 200_000, servers: 60, metric_names: null },
    from: ago(60),
    to: ago(0),
    step: '20m0s',
    timestamps: [now - 3_600_000, now - 2_400_000, now - 1_200_000],
    outcomes: [
      outcome('accepted', [4000, 4100, 4300], 'Stored.'),
      outcome('duplicate', [0, 3, 0], 'Sent again after a failure: nothing to do.'),
      outcome('quota_servers', [0, 0, 42], 'More servers than the license may have: retire some.'),
    ],
    peak: { samples_per_second: 85, bytes_per_second: 91_000 },
  }
}

const health = {
  from: ago(60),
  to: ago(0),
  streams: [
    { stream: 'SAMPLES', messages: 12, bytes: 5e6, max_bytes: 1e9, oldest: ago(0.1), lag_seconds: 6 },
    { stream: 'DEAD', messages: 1, bytes: 900, max_bytes: -1, oldest: ago(300), lag_seconds: 18_000 },
  ],
  licenses: [
    {
      license_id: license.license_id,
      name: license.name,
      suspended: false,
      samples_per_second: 4.98,
      bytes_per_second: 3_400,
      accepted: 12_400,
      duplicate: 3,
      refused: 42,
      reasons: { quota_servers: 42 },
      waiting: 12,
      last_minute: ago(1),
      lag_seconds: 21,
    },
  ],
}

export const letter = {
  number: 7,
  at: ago(300),
  license: license.license_id,
  reason: 'bad_json',
  detail: 'unexpected end of JSON input',
  subject: `corrosion.${license.license_id}.samples.eu-1`,
  epoch: 1,
  seq: 9,
  idx: 0,
  size: 14,
}

const job = { job: 'verify', schedule: '17 3 * * *', seen_at: ago(500), last_run_at: ago(60), state: 'ok' }
const run = {
  run_id: 41,
  job: 'verify',
  cause: 'schedule',
  state: 'ok',
  scheduled_at: ago(60),
  started_at: ago(60),
  finished_at: ago(59),
  duration_ms: 840,
  attempts: 1,
  instance: 'one',
  window_from: null,
  window_to: null,
  hours_checked: 24,
  hours_healed: 1,
  rows_removed: 0,
  detail: {},
}

export const module = () => ({
  slug: 'loot-tuner',
  version: null as string | null,
  dependencies: [],
  status: 'draft',
  owned: false,
  installed_on: [],
  created_at: ago(100),
  updated_at: ago(100),
  published_at: null,
  deprecated_at: null,
  name: 'Loot tuner',
  description: 'Loot as you like it.',
  features: [],
  price: '4.00',
  currency: 'USD',
  plugin_url: null,
  publisher: 'Rusty Works',
  category: 'loot',
  icon: '',
  compatible: [],
  versions: [] as unknown[],
})

/** The state of the made-up platform, and every change that was asked of it. */
export function platform(over: { empty?: boolean } = {}) {
  return {
    empty: over.empty ?? false,
    license: { ...license },
    letters: over.empty ? [] : [letter],
    module: module(),
    /** Whether the run by hand is over. */
    over: false,
    changes: [] as { what: string; body: unknown }[],
  }
}
type Platform = ReturnType<typeof platform>

function read(p: Platform, path: string): unknown {
  const few = <T>(...items: T[]) => (p.empty ? [] : items)
  const details = {
    ...p.license,
    suspended_by: null,
    nats_users: 2,
    written_servers: 0,
    quotas: {
      samples_per_second: quota(null, 100),
      bytes_per_second: quota(0, null),
      servers: quota(60, 60),
      metric_names: quota(null, null),
    },
  }
  const answers: Record<string, unknown> = {
    ingest: p.empty ? { ...health, licenses: [], streams: [] } : health,
    'dead-letters': { letters: p.letters, next: null },
    'dead-letters/7': { ...letter, body: '{"ts": 1, "pla', body_base64: 'e30=' },
    licenses: { licenses: few(p.license), next: null },
    [`licenses/${license.license_id}`]: details,
    jobs: { jobs: few(job) },
    'job-runs': { runs: few(run), next: null },
    modules: { modules: few(p.module), total: 1, next: null },
    'modules/loot-tuner': p.module,
    audit: { entries: [], next: null },
    retention: {
      raw_days: 30,
      hourly_days: 400,
      tables: [{ table: 'samples', resolution: 'raw', days: 30, rows: 1_200_000, bytes: 9.6e6 }],
    },
    'retention/losses': {
      losses: [
        { table: 'samples', from_days: 30, to_days: 7, rows: 900_000, oldest: ago(40_000), bytes: 7e6 },
      ],
    },
    'early-access': {
      segments: [{ segment: '2-5', signups: 1, confirmed: 1 }],
      signups: few({
        position: 4,
        email: 'bob@example.org',
        server_count: 3,
        segment: '2-5',
        network_name: null,
        founding_slot: null,
        created_at: ago(3_000),
        confirmed_at: ago(2_990),
      }),
      next: null,
    },
  }
  return answers[path]
}

function change(p: Platform, path: string, route: Route): unknown {
  const done = { done: 1, faults: [] }
  if (path.endsWith('/suspend')) return Object.assign(p.license, { suspended_at: ago(0) })
  if (path.endsWith('/unsuspend')) return Object.assign(p.license, { suspended_at: null })
  if (path.startsWith('dead-letters')) {
    p.letters = []
    return path.includes('7') && route.request().method() === 'DELETE' ? null : done
  }
  if (path === 'jobs/verify/requests')
    return { job: 'verify', requested_at: ago(0), from: null, to: null, state: 'waiting', run_id: null }
  if (path === 'modules/loot-tuner/versions') {
    const version = { version: '1.0.0', file: 'Loot.cs', sha256: 'a'.repeat(64), size: 900, status: 'draft' }
    p.module.versions = [{ ...version, source_url: null, created_at: ago(0), changelog: '' }]
  }
  if (path.endsWith('1.0.0/publish')) Object.assign(p.module.versions[0] as object, { status: 'published' })
  if (path === 'modules/loot-tuner/publish')
    Object.assign(p.module, { status: 'published', version: '1.0.0' })
  return path.startsWith('modules') ? p.module : {}
}

/** Answers the routes of administrators, and that of a license's ingest. */
export function answerPlatform(p: Platform): Answer {
  return (path, _, route) => {
    if (path === '/api/analytics/ingest') return p.empty ? { ...ingest(), outcomes: [] } : ingest()
    if (!path.startsWith('/api/admin/')) return null
    const rest = path.slice('/api/admin/'.length)
    const method = route.request().method()
    if (rest.startsWith('jobs/verify/requests/')) {
      const state = p.over ? 'ok' : 'running'
      return { job: 'verify', requested_at: ago(0), from: null, to: null, state, run_id: 42 }
    }
    if (rest === 'early-access/export')
      return route.fulfill({ body: 'position\r\n4\r\n', contentType: 'text/csv' }).then(() => true)
    if (method === 'GET') return read(p, rest) ?? problem(route, 404, 'Nothing').then(() => true)
    p.changes.push({ what: `${method} ${rest}`, body: jsonOf(route) })
    const answer = change(p, rest, route)
    return answer ?? route.fulfill({ status: 204 }).then(() => true)
  }
}

function jsonOf(route: Route): unknown {
  const text = route.request().postData() ?? ''
  return text.startsWith('{') ? JSON.parse(text) : text
}
