import type { Route } from '@playwright/test'
import type { InstallationDetails, Module, Purchase, Rollout } from '../src/api/modules'
import { licenses } from './account'
import { now, problem, type Answer } from './mock'

/** A made-up catalogue with what a network has bought, installed and rolled out of it. */
const ago = (minutes: number) => new Date(now - minutes * 60_000).toISOString()
export const ids = {
  purchase: 'bbbbbbbb-0000-4000-8000-000000000001',
  installation: 'bbbbbbbb-0000-4000-8000-000000000002',
  broken: 'bbbbbbbb-0000-4000-8000-000000000003',
  rollout: 'bbbbbbbb-0000-4000-8000-000000000004',
}

const description = `Loot *as you like it*, on **every** server.

## What it does

- multiplies crates by container and by item
- rests while the server is full

Set it up with \`loot.json\`, or read [the guide](https://example.org/guide).

<script>alert(1)</script> [never](javascript:alert(1))

| container | times |
|---|---|
| barrel | 2 |
| crate | 3 |
`

const module = (slug: string, name: string, over: Partial<Module> = {}): Module => ({
  slug,
  name,
  description,
  features: ['Multiplies loot', 'Refills containers on a schedule'],
  price: '9.99',
  currency: 'USD',
  version: '1.1.0',
  publisher: 'Rusty Works',
  category: 'economy',
  icon: 'package',
  plugin_url: 'https://example.org/plugins',
  compatible: [{ game: 'rust', min_version: '2500', max_version: null }],
  dependencies: [],
  status: 'published',
  owned: false,
  installed_on: [],
  created_at: ago(90_000),
  updated_at: ago(9_000),
  published_at: ago(80_000),
  deprecated_at: null,
  versions: [
    version('1.1.0', 'Crates of the new map.', 9_000),
    version('1.0.0', 'The first version.', 80_000),
  ],
  ...over,
})

function version(
  number: string,
  changelog: string,
  minutes: number,
): NonNullable<Module['versions']>[number] {
  return {
    module: 'loot-tuner',
    version: number,
    changelog,
    file: 'LootTuner.cs',
    sha256: 'a1'.repeat(32),
    size: 18_400,
    source_url: null,
    status: 'published',
    dependencies: [],
    created_at: ago(minutes),
    published_at: ago(minutes),
    deprecated_at: null,
  }
}

const purchase = (over: Partial<Purchase> = {}): Purchase => ({
  purchase_id: ids.purchase,
  transaction_id: 'bbbbbbbb-0000-4000-8000-000000000009',
  module: 'loot-tuner',
  amount: '9.99',
  currency: 'USD',
  status: 'completed',
  gateway: 'instant',
  buyer: 'ada@example.org',
  approve_url: null,
  error: null,
  created_at: ago(60),
  updated_at: ago(60),
  completed_at: ago(60),
  refunded_at: null,
  expires_at: null,
  ...over,
})

const installation = (over: Partial<InstallationDetails> = {}): InstallationDetails => ({
  installation_id: ids.installation,
  module: 'loot-tuner',
  version: '1.1.0',
  server_id: 'demo-01',
  status: 'dispatched',
  progress: 0,
  error: null,
  code: null,
  attempt: 1,
  agent: 'online',
  drift: null,
  drift_since: null,
  needs: [],
  replaces: null,
  rollout_id: null,
  created_at: ago(2),
  updated_at: ago(2),
  installed_at: null,
  waits_until: new Date(now + 86_400_000).toISOString(),
  times: {},
  history: [
    { from: null, to: 'pending', at: ago(2), actor: 'ada@example.org', reason: null, attempt: 0 },
    { from: 'pending', to: 'dispatched', at: ago(2), actor: 'platform', reason: null, attempt: 1 },
  ],
  ...over,
})

const rollout = (): Rollout => ({
  rollout_id: ids.rollout,
  module: 'loot-tuner',
  version: '1.1.0',
  status: 'running',
  reason: null,
  actor: 'ada@example.org',
  batch: 0,
  batch_size: 2,
  pause_s: 300,
  max_failures: 1,
  guard: { metric: 'fps', drop_percent: 20, baseline_s: 3_600, min_samples: 30 },
  created_at: ago(5),
  updated_at: ago(1),
  servers: ['installed', 'downloading', null].map((status, n) => ({
    server_id: `demo-0${n + 1}`,
    batch: n < 2 ? 0 : 1,
    status,
    error: null,
    installation_id: status ? ids.installation : null,
    undo_id: null,
    undo_status: null,
  })),
})

export function shop(over: Partial<Shop> = {}): Shop {
  return {
    modules: [
      module('loot-tuner', 'Loot tuner'),
      module('kits', 'Kits', { price: '0.00', category: 'items' }),
    ],
    purchases: [],
    installations: [],
    rollouts: [],
    paypal: false,
    asked: [],
    ...over,
  }
}
export interface Shop {
  modules: Module[]
  purchases: Purchase[]
  installations: InstallationDetails[]
  rollouts: Rollout[]
  /** Whether buyers are sent to a payment provider. */
  paypal: boolean
  asked: { what: string; body: unknown; key: string | undefined }[]
}

/** A shop where much has happened: bought, on a server, broken on another, on its way to more. */
export const busyShop = (): Shop => {
  const own = module('loot-tuner', 'Loot tuner', { owned: true, installed_on: ['demo-01', 'demo-02'] })
  const error = 'no space left on device'
  const broken = { installation_id: ids.broken, server_id: 'demo-02', status: 'failed', error } as const
  return shop({
    modules: [own, module('kits', 'Kits', { price: '0.00', category: 'items' })],
    purchases: [purchase()],
    installations: [installation(), installation({ ...broken, code: 'disk-full', progress: 60 })],
    rollouts: [rollout()],
  })
}

const receipt = (p: Purchase) => ({
  ...p,
  receipt_number: 'R-2026-000017',
  reference: p.transaction_id,
  module_name: 'Loot tuner',
  publisher: 'Rusty Works',
  license_id: licenses.eu,
  license_name: 'Rusty Europe',
  paid_at: p.completed_at ?? '',
})

function read(s: Shop, path: string, query: URLSearchParams): unknown {
  const [first = '', second = '', third = ''] = path.split('/')
  if (path === '') {
    const words = (query.get('search') ?? '').toLowerCase()
    const modules = s.modules.filter(
      (m) =>
        m.name.toLowerCase().includes(words) &&
        (!query.get('category') || m.category === query.get('category')) &&
        (!query.get('owned') || String(m.owned) === query.get('owned')),
    )
    return { modules, total: modules.length, next: null }
  }
  if (first === 'purchases') {
    const one = s.purchases.find((p) => p.purchase_id === second)
    return second ? one && (third ? receipt(one) : one) : { purchases: s.purchases, next: null }
  }
  if (first === 'installations') {
    const has = (name: 'server_id' | 'module' | 'status') => (i: InstallationDetails) =>
      !query.get(name) || i[name] === query.get(name)
    const all = s.installations.filter(has('server_id')).filter(has('module')).filter(has('status'))
    return second
      ? s.installations.find((i) => i.installation_id === second)
      : { installations: all, next: null }
  }
  if (second === 'rollouts')
    return third ? s.rollouts.find((r) => r.rollout_id === third) : { rollouts: s.rollouts }
  return s.modules.find((m) => m.slug === first)
}

function change(s: Shop, method: string, path: string, origin: string): unknown {
  const [first = '', second = '', third = ''] = path.split('/')
  if (second === 'purchase') {
    const open = { status: 'pending', completed_at: null, expires_at: ago(-180) } as const
    const approve_url = `${origin}/modules?purchase=${ids.purchase}&payment=approved`
    s.purchases = [purchase(s.paypal ? { ...open, approve_url, gateway: 'paypal' } : {})]
    if (!s.paypal) own(s)
    return s.purchases[0]
  }
  if (third === 'capture') {
    s.purchases = [purchase({ gateway: 'paypal' })]
    own(s)
    return s.purchases[0]
  }
  if (second === 'install') return (s.installations = [installation({ agent: 'never' })])[0]
  if (first === 'installations') {
    const [one] = s.installations
    if (one) Object.assign(one, { status: method === 'DELETE' ? 'cancelled' : 'pending' })
    return one
  }
  const [one] = s.rollouts
  if (one && third) Object.assign(one, { status: path.endsWith('pause') ? 'paused' : 'cancelled' })
  else s.rollouts = [rollout()]
  return s.rollouts[0]
}

const own = (s: Shop) => s.modules.forEach((m) => (m.owned ||= m.slug === 'loot-tuner'))

/** Answers the routes of modules and agents; null for every other path. */
export function answerShop(s: Shop): Answer {
  return (path, query, route) => {
    if (path === '/api/agents') return agents(route)
    if (!/^\/api\/modules(\/|$)/.test(path)) return null
    const rest = path.slice('/api/modules/'.length)
    const method = route.request().method()
    if (method === 'GET')
      return read(s, rest, query) ?? problem(route, 404, 'Nothing', {}, 'not-found').then(() => true)
    const body = route.request().postDataJSON() as unknown
    s.asked.push({ what: `${method} ${rest}`, body, key: route.request().headers()['idempotency-key'] })
    return change(s, method, rest, new URL(route.request().url()).origin)
  }
}

function agents(route: Route): unknown {
  if (route.request().method() === 'GET') {
    return {
      agents: [
        { server_id: 'demo-01', state: 'online' },
        { server_id: 'demo-02', state: 'silent' },
      ],
    }
  }
  return { license_id: licenses.eu, server_id: 'demo-01', nats_user: 'agent', nats_password: 'secret' }
}
