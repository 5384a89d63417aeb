import { shallowRef, watch } from 'vue'
import { bodyOf } from '@/api/http'
import type { Member } from '@/api/types'
import { actorName } from '@/lib/team'
import { http, useSession } from '@/session'

/** Names of those who did something: the API says people by the ids of their accounts. */
export function useActors(): (actor: string) => string {
  const { subject } = useSession()
  const members = shallowRef<readonly Member[]>([])
  watch(
    subject,
    async () => {
      members.value = []
      try {
        const answer = bodyOf<{ members: Member[] | null }>(http.GET('/api/license/members', {}))
        members.value = (await answer).members ?? []
      } catch {
        // Names are a comfort: without them it says that it was somebody of the network.
      }
    },
    { immediate: true },
  )
  return (actor) => actorName(actor, members.value)
}
