import { describe, expect, it, vi } from 'vitest'
import { ApiError } from '@/api/error'
import type { Tokens } from '@/api/types'
import { nextPath } from '@/lib/next'
import { admit, offered } from '@/session/access'
import { Session, type AuthApi, type Surroundings, type TabMessage } from '@/session/session'

const tokens = (n: number, over: Partial<Tokens> = {}): Tokens => ({
  access_token: `token-${n}`,
  expires_at: new Date(n * 900_000).toISOString(),
  expires_in: 900,
  license_id: 'a',
  must_change_password: false,
  platform_admin: false,
  role: 'viewer',
  token_type: 'Bearer',
  ...over,
})

/** A browser without tabs: time stands still unless a test moves it. */
function browser(auth: Partial<AuthApi> = {}, remembered = true) {
  const told: TabMessage[] = []
  const timers: { ms: number; work: () => void }[] = []
  let remembers = remembered
  const refuse = () => Promise.reject(new ApiError('status', 'x', 401))
  const around: Surroundings = {
    auth: { login: refuse, refresh: refuse, switchLicense: refuse, logout: () => Promise.resolve(), ...auth },
    tell: (message) => told.push(message),
    alone: (work) => work(),
    remembered: () => remembers,
    remember: (signedIn) => (remembers = signedIn),
    changed: () => undefined,
    now: () => 0,
    later: (ms, work) => {
      const timer = { ms, work }
      timers.push(timer)
      return () => void timers.splice(timers.indexOf(timer), 1)
    },
  }
  const session = new Session(around)
  /** Lets the wait for other tabs pass. */
  const pass = (ms: number) => timers.filter((t) => t.ms === ms).forEach((t) => t.work())
  const start = async () => {
    const started = session.start()
    await Promise.resolve()
    pass(150)
    await started
  }
  return { session, told, timers, start, remembers: () => remembers }
}

describe('Session', () => {
  it('asks nothing in a browser that never signed in', async () => {
    const refresh = vi.fn()
    const b = browser({ refresh }, false)
    await b.start()
    expect(b.session.state.kind).toBe('visitor')
    expect(refresh).not.toHaveBeenCalled()
    expect(b.told).toEqual([])
  })

  it('comes back by the cookie, tells the other tabs, and renews before the token runs out', async () => {
    let n = 0
    const b = browser({ refresh: () => Promise.resolve(tokens(++n)) })
    await b.start()
    expect(b.session.token()).toBe('token-1')
    expect(b.told).toEqual([{ kind: 'ask' }, { kind: 'tokens', tokens: tokens(1) }])
    const timer = b.timers.find((t) => t.ms === 840_000)
    timer?.work()
    await vi.waitFor(() => expect(b.session.token()).toBe('token-2'))
  })

  it('takes the token of another tab instead of asking the server', async () => {
    const refresh = vi.fn()
    const b = browser({ refresh })
    const started = b.session.start()
    b.session.heard({ kind: 'tokens', tokens: tokens(3) })
    await started
    expect(b.session.token()).toBe('token-3')
    expect(refresh).not.toHaveBeenCalled()
  })

  it('renews once for many requests that are refused together', async () => {
    let n = 0
    const refresh = vi.fn(() => Promise.resolve(tokens(++n)))
    const b = browser({ refresh })
    await b.start()
    const got = await Promise.all([1, 2, 3].map(() => b.session.renew('token-1')))
    expect(got).toEqual(['token-2', 'token-2', 'token-2'])
    expect(refresh).toHaveBeenCalledTimes(2)
    expect(await b.session.renew('token-1')).toBe('token-2')
    expect(refresh).toHaveBeenCalledTimes(2)
  })

  it('says that a session has ended, and forgets it when there was none', async () => {
    let alive = true
    const refresh = () =>
      alive ? Promise.resolve(tokens(1)) : Promise.reject(new ApiError('status', 'x', 401))
    const b = browser({ refresh })
    await b.start()
    alive = false
    expect(await b.session.renew('token-1')).toBeNull()
    expect(b.session.state).toEqual({ kind: 'expired', license: 'a' })
    expect(b.remembers()).toBe(false)
    const other = browser({ refresh })
    await other.start()
    expect(other.session.state.kind).toBe('visitor')
  })

  it('keeps the session while the server is away', async () => {
    let away = false
    const refresh = () => (away ? Promise.reject(new ApiError('network', 'x')) : Promise.resolve(tokens(1)))
    const b = browser({ refresh })
    await b.start()
    away = true
    await expect(b.session.renew('token-1')).rejects.toMatchObject({ failure: 'network' })
    expect(b.session.state.kind).toBe('account')
    expect(b.remembers()).toBe(true)
  })

  it('signs out here and in all tabs, even when the server cannot be told', async () => {
    const logout = () => Promise.reject(new ApiError('network', 'x'))
    const b = browser({ login: () => Promise.resolve(tokens(1)), logout }, false)
    await b.start()
    await b.session.signIn({ email: 'a@b', password: 'x' })
    await expect(b.session.signOut()).rejects.toThrow()
    expect(b.session.state.kind).toBe('visitor')
    expect(b.told.at(-1)).toEqual({ kind: 'signed-out' })
    const other = browser({ login: () => Promise.resolve(tokens(1)) }, false)
    await other.session.signIn({ email: 'a@b', password: 'x' })
    other.session.heard({ kind: 'signed-out' })
    expect(other.session.token()).toBeNull()
  })

  it('does not go back to an older token of another tab', async () => {
    const b = browser({ login: () => Promise.resolve(tokens(5)) }, false)
    await b.session.signIn({ email: 'a@b', password: 'x' })
    b.session.heard({ kind: 'tokens', tokens: tokens(4) })
    expect(b.session.token()).toBe('token-5')
  })

  it('never renews a pasted token', async () => {
    const b = browser({}, false)
    b.session.useToken(' mine ')
    expect(b.session.token()).toBe('mine')
    expect(await b.session.renew('mine')).toBeNull()
    expect(b.session.token()).toBe('mine')
  })
})

describe('access', () => {
  const account = (over: Partial<Tokens> = {}) => ({ kind: 'account', tokens: tokens(1, over) }) as const
  it('lets in by role', () => {
    expect(admit('reader', { kind: 'visitor' })).toBe('yes')
    expect(admit('viewer', { kind: 'visitor' })).toBe('sign-in')
    expect(admit('viewer', account())).toBe('yes')
    expect(admit('admin', account())).toBe('forbidden')
    expect(admit('admin', account({ role: 'owner' }))).toBe('yes')
    expect(admit('viewer', account({ role: null }))).toBe('forbidden')
    expect(admit('platform', account({ role: 'owner' }))).toBe('forbidden')
    expect(admit('platform', account({ role: null, platform_admin: true }))).toBe('yes')
    expect(admit('reader', account({ must_change_password: true }))).toBe('change-password')
    expect(admit('owner', { kind: 'expired', license: 'a' })).toBe('yes')
  })

  it('offers nothing that is forbidden', () => {
    expect(offered('reader', { kind: 'visitor' })).toBe(true)
    expect(offered('viewer', { kind: 'visitor' })).toBe(false)
    expect(offered('admin', account())).toBe(false)
    expect(offered('admin', account({ role: 'admin' }))).toBe(true)
  })
})

describe('nextPath', () => {
  it('goes to paths of this server only', () => {
    expect(nextPath({ next: '/servers?range=7d' })).toBe('/servers?range=7d')
    for (const next of ['//evil.example', '/\\evil', 'https://evil.example', '', undefined, ['/a']]) {
      expect(nextPath({ next })).toBe('/')
    }
  })
})
