import { ApiError } from '@/api/error'
import { bodyOf, taggedBodyOf } from '@/api/http'
import type { Invitation, License, MadeInvitation, Member, Role, Withdrawn } from '@/api/types'
import { http, loadMe, useSession } from '@/session'
import { atLeast } from '@/session/access'
import { usePolling } from './usePolling'

const interval = 30_000

/** A network with its people. */
export interface TeamView {
  license: License
  /** The license's, for a change of its name. */
  etag: string
  members: Member[]
  /** Null where the role may not see them. */
  invitations: Invitation[] | null
}

async function waiting(signal: AbortSignal): Promise<Invitation[] | null> {
  try {
    const answer = bodyOf<{ invitations: Invitation[] }>(http.GET('/api/license/invitations', { signal }))
    return (await answer).invitations
  } catch (error) {
    // The role may have changed since the token was made: the rest of the page still holds.
    if (error instanceof ApiError && error.code === 'forbidden') return null
    throw error
  }
}

async function loadTeam(role: Role | null, signal: AbortSignal): Promise<TeamView> {
  const [{ body: license, etag }, { members }, invitations] = await Promise.all([
    taggedBodyOf<License>(http.GET('/api/license', { signal })),
    bodyOf<{ members: Member[] }>(http.GET('/api/license/members', { signal })),
    atLeast(role, 'admin') ? waiting(signal) : null,
  ])
  return { license, etag, members, invitations }
}

/** The people of the network and what may be done about them; every change reads the list anew. */
export function useTeam() {
  const { subject, role, session } = useSession()
  const { state, retry } = usePolling<TeamView>(
    () => ({
      key: `team ${role.value}`,
      subject: subject.value,
      load: (signal) => loadTeam(role.value, signal),
    }),
    interval,
  )
  // A role that changes stands in the next token only.
  const renew = async () => {
    await session.renew(session.token())
    await loadMe()
  }

  async function rename(name: string): Promise<void> {
    const params = { header: { 'If-Match': state.data?.etag ?? '' } }
    await http.PATCH('/api/license', { params, body: { name } })
    await loadMe()
    retry()
  }

  async function setRole(member: Member, next: Role): Promise<void> {
    const params = { path: { account_id: member.account_id }, header: { 'If-Match': member.etag } }
    await http.PATCH('/api/license/members/{account_id}', { params, body: { role: next } })
    if (member.you) await renew()
    retry()
  }

  async function remove(member: Member): Promise<Withdrawn> {
    const params = { path: { account_id: member.account_id }, header: { 'If-Match': member.etag } }
    const ended = await bodyOf<Withdrawn>(http.DELETE('/api/license/members/{account_id}', { params }))
    retry()
    return ended
  }

  async function invite(email: string, given: Role): Promise<MadeInvitation> {
    const made = await bodyOf<MadeInvitation>(
      http.POST('/api/license/invitations', { body: { email, role: given } }),
    )
    retry()
    return made
  }

  async function revoke(invitation: Invitation): Promise<void> {
    const params = { path: { id: invitation.invitation_id } }
    await http.DELETE('/api/license/invitations/{id}', { params })
    retry()
  }

  async function transfer(account_id: string, password: string, code: string): Promise<void> {
    const body = { account_id, password, ...(code ? { code } : {}) }
    await http.POST('/api/license/transfer', { body })
    await renew()
    retry()
  }

  async function leave(): Promise<void> {
    await http.POST('/api/license/leave', {})
    await renew()
  }
  return { state, retry, rename, setRole, remove, invite, revoke, transfer, leave }
}

export type Team = ReturnType<typeof useTeam>
