import { computed } from 'vue'
import { useRoute, useRouter } from 'vue-router'

/** Words of the URL's query by name, empty where they are not there: a link shows a colleague the same. */
export function useWords<Name extends string>(names: readonly Name[]) {
  const route = useRoute()
  const router = useRouter()
  const words = computed(
    () => Object.fromEntries(names.map((n) => [n, text(route.query[n])])) as Record<Name, string>,
  )

  /** Changes some of them; what is empty leaves the URL. */
  function setWords(some: Partial<Record<Name, string>>): void {
    const query = { ...route.query, ...some }
    const kept = Object.entries(query).filter(([, value]) => value !== '' && value !== undefined)
    void router.replace({ query: Object.fromEntries(kept) })
  }
  return { words, setWords }
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '')
