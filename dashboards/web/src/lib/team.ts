import type { Member, Role } from '@/api/types'
import { atLeast } from '@/session/access'

/** What each role may do, from the least to the most. */
export const roles: readonly { value: Role; label: string; meaning: string }[] = [
  { value: 'viewer', label: 'Viewer', meaning: 'Sees all figures and the servers; changes nothing.' },
  { value: 'admin', label: 'Admin', meaning: 'Also changes servers, API keys, modules and people.' },
  { value: 'owner', label: 'Owner', meaning: 'Also reads the audit log, and may give the network away.' },
]

export const roleMeaning = (role: Role): string => roles.find((r) => r.value === role)?.meaning ?? ''

/** The roles that somebody with a role of their own may give: nobody gives more than they have. */
export const rolesToGive = (mine: Role | null) =>
  atLeast(mine, 'admin') ? roles.filter((r) => atLeast(mine, r.value)) : []

/** The only owner can neither leave nor become less: somebody else has to be one first. */
export function isLastOwner(members: readonly Member[], member: Member): boolean {
  return member.role === 'owner' && members.filter((m) => m.role === 'owner').length === 1
}

/** Whether somebody with a role may change what a member may do, or take them out. */
export function mayChange(mine: Role | null, members: readonly Member[], member: Member): boolean {
  return atLeast(mine, 'admin') && atLeast(mine, member.role) && !isLastOwner(members, member)
}

/** What a member is called: viewers see no email of others, and not everybody gives a name. */
export const memberName = (member: Member): string => member.name || member.email || 'Somebody without a name'

/** "2 API keys and 1 invitation that they had made have ended"; empty when nothing has. */
export function withdrawnText(keys: number, invitations: number): string {
  const parts = [
    [keys, 'API key'],
    [invitations, 'invitation'],
  ] as const
  const counted = parts.filter(([n]) => n > 0).map(([n, what]) => `${n} ${what}${n === 1 ? '' : 's'}`)
  if (counted.length === 0) return ''
  return `${counted.join(' and ')} of theirs ${keys + invitations === 1 ? 'has' : 'have'} ended too.`
}

/** Who did something: a member in place of the account's id; what is not an account's id stays as it is. */
export function actorName(actor: string, members: readonly Member[]): string {
  const member = members.find((m) => m.account_id === actor)
  if (member) return memberName(member)
  if (!/^[0-9a-f]{8}-[0-9a-f-]{27}$/.test(actor)) return actor
  return members.length > 0 ? 'somebody who has left' : 'somebody of the network'
}
