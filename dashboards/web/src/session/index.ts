/** The session of this page: one for all views, the router and the live stream. */
import { computed, readonly, shallowRef } from 'vue'
import { bodyOf, createHttp, type Bearer } from '@/api/http'
import type { Me, Tokens } from '@/api/types'
import { createReader } from '@/api/reader'
import { uploader, type TellSent } from '@/api/upload'
import { Session, type AuthApi, type SessionState, type TabMessage } from './session'

const rememberKey = 'corrosion.signed-in'
const state = shallowRef<SessionState>({ kind: 'starting' })
const me = shallowRef<Me | null>(null)

// Signing in and refreshing go without a token: their 401 must not start a renewal.
const open = createHttp()

const bearer: Bearer = {
  token: () => session.token(),
  renew: (refused) => session.renew(refused),
}

/** The client for every other request: it sends the token and renews it where it is refused. */
export const http = createHttp(bearer)

/** The `fetch` of a request that uploads something large, and tells how far it is. */
export const upload = (tell: TellSent) => uploader(bearer, tell)

const auth: AuthApi = {
  login: (input) =>
    bodyOf<Tokens>(open.POST('/api/auth/login', { body: { ...input, delivery: 'cookie' } }), isTokens),
  refresh: () => bodyOf<Tokens>(open.POST('/api/auth/refresh', {}), isTokens),
  switchLicense: (license_id) =>
    bodyOf<Tokens>(http.POST('/api/auth/token', { body: { license_id } }), isTokens),
  logout: async () => void (await open.POST('/api/auth/logout', {})),
}

function isTokens(tokens: Tokens): boolean {
  return typeof tokens.access_token === 'string' && typeof tokens.expires_at === 'string'
}

const tabs = typeof BroadcastChannel === 'undefined' ? null : new BroadcastChannel('corrosion.session')

const session = new Session({
  auth,
  tell: (message) => tabs?.postMessage(message),
  // Browsers have locks on https and localhost only; without them the server forgives tabs that refresh at once.
  alone: async (work) => ('locks' in navigator ? navigator.locks.request('corrosion.refresh', work) : work()),
  remembered: () => stored() === 'yes',
  remember: store,
  changed: (next) => (state.value = next),
  now: Date.now,
  later: (ms, work) => {
    const timer = setTimeout(work, ms)
    return () => clearTimeout(timer)
  },
})
if (tabs) tabs.onmessage = (event: MessageEvent<TabMessage>) => session.heard(event.data)

function stored(): string | null {
  try {
    return localStorage.getItem(rememberKey)
  } catch {
    return null
  }
}

function store(signedIn: boolean): void {
  try {
    if (signedIn) localStorage.setItem(rememberKey, 'yes')
    else localStorage.removeItem(rememberKey)
  } catch {
    // Without storage a reload asks for the password again.
  }
}

/** Resolves once it is known whether somebody is signed in. */
export const started: Promise<void> = session.start()

/** Reads who is signed in: names, licenses and roles. */
export async function loadMe(): Promise<Me> {
  const loaded = await bodyOf<Me>(http.GET('/api/auth/me', {}))
  me.value = loaded
  return loaded
}

const reader = computed(() =>
  createReader(http, state.value.kind === 'visitor' ? '/api/public/demo' : '/api/analytics'),
)

/** Changes with the network whose figures are read, and only with it. */
const subject = computed(() => {
  const now = state.value
  if (now.kind === 'account') return `license ${now.tokens.license_id}`
  if (now.kind === 'expired') return `license ${now.license}`
  return now.kind === 'token' ? `token ${now.id}` : now.kind
})

const role = computed(() => (state.value.kind === 'account' ? state.value.tokens.role : null))
const platformAdmin = computed(() => state.value.kind === 'account' && state.value.tokens.platform_admin)
const mustChangePassword = computed(
  () => state.value.kind === 'account' && state.value.tokens.must_change_password,
)

/** The session, for components. */
export function useSession() {
  return {
    state: readonly(state),
    me: readonly(me),
    session,
    http,
    reader,
    subject,
    role,
    platformAdmin,
    mustChangePassword,
  }
}
