import type { Route } from '@playwright/test'
import type { Me, Tokens } from '../src/api/types'
import { now, problem, type Answer } from './mock'

/** The account routes of a made-up server with one account of two networks. */
export interface Accounts {
  tokens: Tokens
  /** The code that signing in wants; empty when none. */
  code: string
  /** Whether the refresh cookie still counts. */
  alive: boolean
  refreshes: number
}

export const licenses = {
  eu: 'aaaaaaaa-0000-4000-8000-000000000001',
  us: 'aaaaaaaa-0000-4000-8000-000000000002',
}

export function accounts(over: Partial<Tokens> = {}): Accounts {
  const tokens: Tokens = {
    access_token: 'secret-token',
    expires_at: new Date(now + 900_000).toISOString(),
    expires_in: 900,
    license_id: licenses.eu,
    must_change_password: false,
    platform_admin: false,
    role: 'owner',
    token_type: 'Bearer',
    ...over,
  }
  return { tokens, code: '', alive: true, refreshes: 0 }
}

const me = ({ tokens }: Accounts): Me => ({
  account_id: 'cccccccc-0000-4000-8000-000000000001',
  created_at: new Date(now).toISOString(),
  email: 'ada@example.org',
  email_confirmed: true,
  last_login_at: null,
  license_id: tokens.license_id,
  memberships: [
    {
      license_id: licenses.eu,
      name: 'Rusty Europe',
      role: 'owner',
      since: '2026-01-01T00:00:00Z',
      suspended_at: null,
    },
    {
      license_id: licenses.us,
      name: 'Rusty America',
      role: 'viewer',
      since: '2026-01-01T00:00:00Z',
      suspended_at: null,
    },
  ],
  must_change_password: tokens.must_change_password,
  name: 'Ada',
  password_changed_at: '2026-01-01T00:00:00Z',
  platform_admin: tokens.platform_admin,
  recovery_codes_left: 0,
  role: tokens.role,
  session_id: 'dddddddd-0000-4000-8000-000000000001',
  totp: false,
})

const refuse = (route: Route, status: number, code: string) =>
  problem(route, status, code, {}, code).then(() => true)

type Handler = (server: Accounts, body: Record<string, string>, route: Route) => unknown

const handlers: Record<string, Handler> = {
  login: (server, body, route) => {
    if (body['password'] !== 'correct horse') return refuse(route, 401, 'credentials-invalid')
    if (server.code && !body['code']) return refuse(route, 401, 'totp-required')
    if (server.code && body['code'] !== server.code) return refuse(route, 401, 'credentials-invalid')
    return server.tokens
  },
  refresh: (server, _, route) => {
    server.refreshes++
    if (!server.alive) return refuse(route, 401, 'refresh-invalid')
    server.tokens = { ...server.tokens, access_token: `secret-token-${server.refreshes}` }
    return server.tokens
  },
  token: (server, body) =>
    (server.tokens = { ...server.tokens, license_id: body['license_id'] ?? '', role: 'viewer' }),
  password: (server) => (server.tokens = { ...server.tokens, must_change_password: false }),
  'password/reset': () => ({ status: 'accepted', mail: true }),
  'password/reset/confirm': (_, __, route) => route.fulfill({ status: 204 }).then(() => true),
  logout: (_, __, route) => route.fulfill({ status: 204 }).then(() => true),
  me,
  sessions: () => ({ sessions: [] }),
}

/** Answers the account routes; null for every other path. */
export function answerAccounts(server: Accounts): Answer {
  return (path, _, route) => {
    const handler = path.startsWith('/api/auth/') ? handlers[path.slice('/api/auth/'.length)] : undefined
    if (!handler) return null
    const body = route.request().postDataJSON() as Record<string, string> | null
    return handler(server, body ?? {}, route)
  }
}
