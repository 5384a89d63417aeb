import type { Role } from '@/api/types'
import type { SessionState } from './session'

/** Who may open a page. */
export type Access =
  /** Everybody, in their own layout: signing in, resets. */
  | 'anybody'
  /** Whoever has a network to look at: visitors have the demo. */
  | 'reader'
  /** A person who is signed in. */
  | 'person'
  /** A person with a role in a license, or a higher one. */
  | Role
  /** Who administers the platform. */
  | 'platform'

export type Verdict = 'yes' | 'sign-in' | 'change-password' | 'forbidden'

const ranks: Record<Role, number> = { viewer: 1, admin: 2, owner: 3 }

/** Whether a role allows what another one does. */
export const atLeast = (role: Role | null, least: Role): boolean =>
  role !== null && ranks[role] >= ranks[least]

/** Whether somebody may open a page, and what they have to do first. The server decides in the end. */
export function admit(access: Access, state: SessionState): Verdict {
  if (access === 'anybody') return 'yes'
  if (state.kind !== 'account') {
    // An ended session keeps what was on the screen, beneath the sign-in.
    return access === 'reader' || state.kind === 'expired' ? 'yes' : 'sign-in'
  }
  const { must_change_password, platform_admin, role } = state.tokens
  if (must_change_password) return 'change-password'
  if (access === 'person' || access === 'reader') return 'yes'
  if (access === 'platform') return platform_admin ? 'yes' : 'forbidden'
  return atLeast(role ?? null, access) ? 'yes' : 'forbidden'
}

/** Whether the navigation shows a page: what somebody may not open is not offered. */
export function offered(access: Access, state: SessionState): boolean {
  if (access === 'reader') return true
  return (
    state.kind === 'account' &&
    admit(access, { ...state, tokens: { ...state.tokens, must_change_password: false } }) === 'yes'
  )
}
