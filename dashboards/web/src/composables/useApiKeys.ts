import { bodyOf } from '@/api/http'
import type { ApiKey, MadeApiKey } from '@/api/types'
import { http, useSession } from '@/session'
import { usePolling } from './usePolling'

const interval = 30_000

export interface NewApiKey {
  name: string
  scopes: string[]
  /** Absent = until it is revoked. */
  expires_in_days?: number
}

/** The network's API keys and what may be done with them. */
export function useApiKeys() {
  const { subject } = useSession()
  const { state, retry } = usePolling<ApiKey[]>(
    () => ({
      key: 'keys',
      subject: subject.value,
      load: async (signal) =>
        (await bodyOf<{ keys: ApiKey[] }>(http.GET('/api/license/keys', { signal }))).keys,
    }),
    interval,
  )

  async function create(body: NewApiKey): Promise<MadeApiKey> {
    const made = await bodyOf<MadeApiKey>(http.POST('/api/license/keys', { body }))
    retry()
    return made
  }

  async function revoke(key: ApiKey): Promise<void> {
    await http.DELETE('/api/license/keys/{id}', { params: { path: { id: key.key_id } } })
    retry()
  }
  return { state, retry, create, revoke }
}
