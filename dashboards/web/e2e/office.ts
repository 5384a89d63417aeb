import type { Page, Route } from '@playwright/test'
import type { ApiKey, AuditEntry, Invitation, Member, Role, StoredTable } from '../src/api/types'
import { accounts, answerAccounts, licenses, type Accounts } from './account'
import { mockAPI, now, problem, servers, type Answer } from './mock'

/** What a made-up server keeps of a network's people, keys and log. */
export interface Office {
  account: Accounts
  name: string
  members: Member[]
  invitations: Invitation[]
  keys: ApiKey[]
  entries: AuditEntry[]
  tables: StoredTable[]
  /** Whether it sends mail. */
  mail: boolean
  /** What was asked with a body, the newest last. */
  sent: { what: string; body: unknown; match: string | undefined }[]
}

const day = 86_400_000
const ago = (days: number) => new Date(now - days * day).toISOString()
const id = (n: number) => `eeeeeeee-0000-4000-8000-${String(n).padStart(12, '0')}`

const member = (n: number, name: string, role: Role, you = false): Member => ({
  account_id: you ? 'cccccccc-0000-4000-8000-000000000001' : id(n),
  email: `${name.toLowerCase()}@example.org`,
  etag: `"m${n}"`,
  last_login_at: n === 3 ? null : ago(n),
  name,
  role,
  since: ago(100 - n),
  you,
})

const key = (n: number, name: string, scopes: string[], over: Partial<ApiKey> = {}): ApiKey => ({
  created_at: ago(30 * n),
  created_by: 'ada@example.org',
  expires_at: null,
  key_id: id(20 + n),
  last_used_at: ago(n / 24),
  name,
  prefix: `csk_${n}kPq`,
  revoked_at: null,
  revoked_for: null,
  scopes,
  status: 'active',
  ...over,
})

const entry = (n: number, action: string, over: Partial<AuditEntry> = {}): AuditEntry => ({
  id: n,
  at: new Date(now - (300 - n) * 3_600_000).toISOString(),
  action,
  actor: 'ada@example.org',
  actor_id: 'cccccccc-0000-4000-8000-000000000001',
  address: '203.0.113.7',
  details: null,
  license_id: licenses.eu,
  request_id: `r${n}`,
  target_id: 'demo-04',
  target_kind: action.split('.')[0] ?? '',
  user_agent: 'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0',
  ...over,
})

const table = (name: string, over: Partial<StoredTable> = {}): StoredTable => ({
  table: name,
  resolution: 'hourly',
  limit: '90d',
  limit_seconds: 90 * 86_400,
  oldest: ago(30),
  rows: 36_000,
  bytes: 5_400_000,
  bytes_per_sample: 0.25,
  ...over,
})

export function office(over: Partial<Office> = {}): Office {
  return {
    account: accounts(),
    name: 'Rusty Europe',
    members: [member(1, 'Ada', 'owner', true), member(2, 'Grace', 'admin'), member(3, 'Edsger', 'viewer')],
    invitations: [
      {
        invitation_id: id(10),
        email: 'barbara@example.org',
        role: 'viewer',
        invited_by: 'ada@example.org',
        created_at: ago(2),
        expires_at: ago(-5),
      },
    ],
    keys: [
      key(1, 'Discord bot', ['read:analytics']),
      key(2, 'Nightly export', ['export', 'read:analytics'], { expires_at: ago(-3) }),
      key(3, 'Old script', ['write:events'], {
        status: 'revoked',
        revoked_at: ago(2),
        revoked_for: 'maker-left',
      }),
    ],
    entries: Array.from({ length: 150 }, (_, i) =>
      i % 5 === 0
        ? entry(300 - i, 'account.login-refused', { actor: '', actor_id: null as never, target_id: '' })
        : i % 5 === 1
          ? entry(300 - i, 'member.role-changed', { details: { before: 'viewer', after: 'admin' } })
          : entry(300 - i, 'server.changed', { details: { name: 'Main', tags: { region: 'eu' } } }),
    ),
    tables: [
      table('samples', {
        resolution: 'raw',
        limit: '7d',
        limit_seconds: 7 * 86_400,
        oldest: ago(6.5),
        rows: 30_240_000,
        bytes: 371_000_000,
        bytes_per_sample: 12.27,
      }),
      table('samples_hourly'),
      table('network_hourly', { rows: 720, bytes: 41_000, bytes_per_sample: 0.0014 }),
      table('events', {
        resolution: 'fixed',
        limit: '400d',
        limit_seconds: 400 * 86_400,
        rows: 12,
        bytes: 900,
        bytes_per_sample: null,
      }),
      table('ingest_log', { oldest: null, rows: 0, bytes: 0, bytes_per_sample: null }),
    ],
    mail: false,
    sent: [],
    ...over,
  }
}

const done = (route: Route) => route.fulfill({ status: 204 }).then(() => true)
const tagged = (route: Route, json: unknown, etag: string) =>
  route.fulfill({ json, headers: { ETag: etag } }).then(() => true)

function license(o: Office) {
  return {
    created_at: ago(200),
    inbox_prefix: `corrosion.${licenses.eu}.reply`,
    license_id: licenses.eu,
    name: o.name,
    role: o.account.tokens.role,
    stats_subject: `corrosion.${licenses.eu}.stats`,
    suspended_at: null,
  }
}

/** A body as a form of the pages sends it. */
type Sent = Partial<Record<string, string>> & { role?: Role; scopes?: string[] }
type Handler = (o: Office, body: Sent, route: Route, rest: string) => unknown

const handlers: Record<string, Handler> = {
  'GET /api/license': (o, _, route) => tagged(route, license(o), '"l1.x"'),
  'PATCH /api/license': (o, body, route) => {
    o.name = body['name'] ?? ''
    return tagged(route, license(o), '"l2"')
  },
  'GET /api/license/members': (o) => ({ members: o.members }),
  'PATCH /api/license/members/': (o, body, _, rest) => {
    const found = o.members.find((m) => m.account_id === rest) as Member
    found.role = body.role ?? 'viewer'
    return found
  },
  'DELETE /api/license/members/': (o, _, __, rest) => {
    o.members = o.members.filter((m) => m.account_id !== rest)
    return { keys_ended: 2, invitations_ended: 0 }
  },
  'GET /api/license/invitations': (o) => ({ invitations: o.invitations }),
  'POST /api/license/invitations': (o, body, route) => {
    if (o.members.some((m) => m.email === body['email']))
      return problem(route, 409, 'No', {}, 'already-member').then(() => true)
    const made = {
      invitation_id: id(11),
      email: body['email'] ?? '',
      role: body.role ?? 'viewer',
      invited_by: 'ada@example.org',
      created_at: ago(0),
      expires_at: ago(-7),
    }
    o.invitations = [made, ...o.invitations]
    const link = o.mail ? null : 'https://stats.example.org/invitation#token=hush'
    return { ...made, mail: o.mail, link }
  },
  'DELETE /api/license/invitations/': (o, _, route, rest) => {
    o.invitations = o.invitations.filter((i) => i.invitation_id !== rest)
    return done(route)
  },
  'POST /api/license/transfer': (o, body, route) => {
    if (body['password'] !== 'correct horse')
      return problem(route, 403, 'No', {}, 'password-wrong').then(() => true)
    for (const m of o.members)
      m.role = m.account_id === body['account_id'] ? 'owner' : m.you ? 'admin' : m.role
    o.account.tokens.role = 'admin'
    return o.members[1]
  },
  'POST /api/license/leave': (o) => {
    o.account.tokens.license_id = null as never
    return { keys_ended: 0, invitations_ended: 0 }
  },
  'POST /api/licenses': (_, body) => ({
    inbox_prefix: `corrosion.${licenses.us}.reply`,
    license_id: licenses.us,
    name: body['name'],
    nats_password: 'shown-once',
    nats_user: 'server-7',
    role: 'owner',
    stats_subject: `corrosion.${licenses.us}.stats`,
  }),
  'GET /api/license/keys': (o) => ({ keys: o.keys }),
  'POST /api/license/keys': (o, body) => {
    const made = key(0, body['name'] ?? '', body.scopes ?? [], { last_used_at: null })
    o.keys = [made, ...o.keys]
    return { ...made, key: 'csk_the-whole-key' }
  },
  'DELETE /api/license/keys/': (o, _, route, rest) => {
    o.keys = o.keys.filter((k) => k.key_id !== rest)
    return done(route)
  },
  'GET /api/analytics/retention': (o) => ({ tables: o.tables }),
}

function audit(o: Office, query: URLSearchParams, route: Route): unknown {
  const action = query.get('action') ?? ''
  const fits = (e: AuditEntry) =>
    (!action || (action.endsWith('.*') ? e.action.startsWith(action.slice(0, -1)) : e.action === action)) &&
    (!query.get('actor_id') || e.actor_id === query.get('actor_id')) &&
    (!query.get('target_id') || e.target_id === query.get('target_id'))
  const chosen = o.entries.filter(fits)
  const format = query.get('format')
  if (format) {
    const headers = { 'Content-Disposition': `attachment; filename="audit-20261123.${format}"` }
    return route.fulfill({ body: 'id,at\n', contentType: 'text/csv', headers }).then(() => true)
  }
  const at = Number(query.get('cursor') ?? 0)
  return { entries: chosen.slice(at, at + 100), next: at + 100 < chosen.length ? String(at + 100) : null }
}

/** Answers the routes of a network's management, and those of accounts. */
export function answerOffice(o: Office): Answer {
  const account = answerAccounts(o.account)
  return (path, query, route) => {
    if (path === '/api/audit') return audit(o, query, route)
    const method = route.request().method()
    const own = handlers[`${method} ${path}`]
    const under = handlers[`${method} ${path.slice(0, path.lastIndexOf('/') + 1)}`]
    const handler = own ?? under
    if (!handler) return account(path, query, route)
    const body = route.request().postDataJSON() as Sent | null
    if (method !== 'GET') {
      o.sent.push({ what: `${method} ${path}`, body, match: route.request().headers()['if-match'] })
    }
    return handler(o, body ?? {}, route, path.slice(path.lastIndexOf('/') + 1))
  }
}

/** Opens a page as who is signed in at the made-up server; `answer` may take over any request. */
export async function openOffice(
  page: Page,
  o: Office,
  path: string,
  answer: Answer = () => null,
): Promise<void> {
  await page.clock.install({ time: now })
  const usual = answerOffice(o)
  await mockAPI(page, async (...asked) => (await answer(...asked)) ?? usual(...asked))
  await page.goto(`/sign-in?next=${encodeURIComponent(path)}`)
  await page.getByLabel('Email').fill('ada@example.org')
  await page.getByLabel('Password').fill('correct horse')
  await page.keyboard.press('Enter')
}

/** A server's answer with the tag that a change of it names. */
export const oneServer = (route: Route, over: object, etag: string) =>
  tagged(route, { ...servers(4)[3], ...over }, etag)
