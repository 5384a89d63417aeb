import { computed, inject, provide, shallowRef, type InjectionKey, type Ref } from 'vue'
import { createClient, type Client, type Credentials } from '@/api/client'

interface Session {
  credentials: Ref<Credentials>
  client: Ref<Client>
  /** Reads the license of this access token; it lives in memory and is gone with the page. */
  useToken(token: string): void
  useDemo(): void
}

const key: InjectionKey<Session> = Symbol('session')

/** Makes the session for everything below the calling component; it starts at the demo network. */
export function provideCredentials(): Session {
  const credentials = shallowRef<Credentials>({ kind: 'demo' })
  const session: Session = {
    credentials,
    client: computed(() => createClient(credentials.value)),
    useToken: (token) => (credentials.value = { kind: 'token', token: token.trim() }),
    useDemo: () => (credentials.value = { kind: 'demo' }),
  }
  provide(key, session)
  return session
}

/** The session of the page. */
export function useCredentials(): Session {
  const session = inject(key)
  if (!session) throw new Error('no session provided')
  return session
}
