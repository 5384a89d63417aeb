import type { ApiKey } from '@/api/types'
import { formatAge, formatDay, type Place } from './format'

/** What a key may be allowed, in the API's words and in ours. */
export const scopes = [
  {
    value: 'read:analytics',
    label: 'Read figures',
    meaning: 'what servers measured, live too, and which servers and marks there are',
  },
  { value: 'export', label: 'Export', meaning: 'download samples and hours, and make export jobs' },
  { value: 'read:license', label: 'Read the network', meaning: 'its name, standing and quotas' },
  {
    value: 'read:modules',
    label: 'Read modules',
    meaning: 'the catalogue, what was bought and what is installed',
  },
  {
    value: 'install',
    label: 'Install modules',
    meaning: 'install, retry and uninstall what the network owns',
  },
  { value: 'write:servers', label: 'Change servers', meaning: 'write down, change and archive servers' },
  { value: 'write:events', label: 'Write marks', meaning: 'add and delete wipes, deploys and notes' },
] as const

export const scopeLabel = (scope: string): string => scopes.find((s) => s.value === scope)?.label ?? scope

/** How long a key may live; 0 days are until it is revoked. */
export const lifetimes = [
  { value: '7', label: '7 days' },
  { value: '30', label: '30 days' },
  { value: '90', label: '90 days' },
  { value: '365', label: 'A year' },
  { value: '0', label: 'Until it is revoked' },
] as const

/** A key that ends within so many ms is said to end soon. */
const soon = 7 * 86_400_000

/** When a key ends, or why it has ended, and whether that needs a look. */
export function keyEnd(key: ApiKey, now: number, place: Place = {}): { text: string; ill: boolean } {
  if (key.status === 'revoked') {
    const why = key.revoked_for === 'maker-left' ? 'Ended when its maker lost the right to it' : 'Revoked'
    const at = key.revoked_at ? `, ${formatDay(Date.parse(key.revoked_at), place)}` : ''
    return { text: why + at, ill: true }
  }
  if (key.expires_at === null) return { text: 'Lives until it is revoked', ill: false }
  const end = Date.parse(key.expires_at)
  if (end <= now) return { text: `Expired ${formatDay(end, place)}`, ill: true }
  if (end - now < soon) return { text: `Expires in ${formatAge(end - now)}`, ill: true }
  return { text: `Expires ${formatDay(end, place)}`, ill: false }
}

/** When a key was last used; the server keeps that to some minutes. */
export function keyUse(key: ApiKey, now: number): string {
  if (key.last_used_at === null) return 'never used'
  return `last used ${formatAge(now - Date.parse(key.last_used_at))} ago`
}

/** A command that shows that a key works. */
export const keyCommand = (origin: string, key: string): string =>
  `curl -H 'Authorization: Bearer ${key}' '${origin}/api/analytics/summary?range=24h'`
