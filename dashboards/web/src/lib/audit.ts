import type { AuditEntry, AuditPage } from '@/api/types'

/** Which entries are chosen; what is empty chooses all. Times are RFC 3339 UTC. */
export interface AuditFilter {
  actor_id: string
  action: string
  target_kind: string
  target_id: string
  from: string
  to: string
}

const names = ['actor_id', 'action', 'target_kind', 'target_id', 'from', 'to'] as const

/** Reads a filter as the URL has it; what is no time there chooses all. */
export function filterOf(query: Record<string, unknown>): AuditFilter {
  const word = (name: string) => {
    const value = query[name]
    return typeof value === 'string' ? value : ''
  }
  const time = (name: string) => {
    const t = Date.parse(word(name))
    return Number.isNaN(t) ? '' : new Date(t).toISOString()
  }
  return {
    actor_id: word('actor_id'),
    action: word('action'),
    target_kind: word('target_kind'),
    target_id: word('target_id'),
    from: time('from'),
    to: time('to'),
  }
}

/** The filter as parameters of the URL and of the API alike: what chooses all is left out. */
export function filterParams(filter: AuditFilter): Partial<AuditFilter> {
  return Object.fromEntries(names.flatMap((name) => (filter[name] ? [[name, filter[name]]] : [])))
}

/** What has been read of the log: the newest entries first, without a gap, and where it goes on. */
export interface AuditView {
  entries: readonly AuditEntry[]
  /** Null at the end of the log. */
  next: string | null
}

/** The view with a newly read first page: what was read before stays, unless a gap would be between. */
export function refreshed(before: AuditView | null, page: AuditPage): AuditView {
  const entries = page.entries ?? []
  const joint = before?.entries[0]?.id
  if (!before || joint === undefined || !entries.some((e) => e.id === joint))
    return { entries, next: page.next }
  return { entries: [...entries.filter((e) => e.id > joint), ...before.entries], next: before.next }
}

/** The view with the next page behind it. */
export function extended(before: AuditView, page: AuditPage): AuditView {
  return { entries: [...before.entries, ...(page.entries ?? [])], next: page.next }
}

/** "server.changed" as words: "Server changed". */
export function actionText(action: string): string {
  const words = action.replaceAll(/[.-]/g, ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}

/** Whether something was tried and refused. */
export const isRefusal = (action: string): boolean => action.endsWith('-refused')

/** Who did it; strangers have no name. */
export const actorText = (entry: Pick<AuditEntry, 'actor'>): string => entry.actor || 'a stranger'

/** The further words of an entry by name, as text. */
export function detailsOf(details: unknown): { name: string; text: string }[] {
  if (typeof details !== 'object' || details === null) return []
  return Object.entries(details).map(([name, value]) => ({
    name,
    text: typeof value === 'string' ? value : JSON.stringify(value),
  }))
}

/** Nouns of actions that a license's log has, for the choice of one. */
export const nouns = [
  'account',
  'agent',
  'installation',
  'invitation',
  'key',
  'license',
  'mark',
  'member',
  'nats-user',
  'purchase',
  'rollout',
  'server',
  'session',
] as const
