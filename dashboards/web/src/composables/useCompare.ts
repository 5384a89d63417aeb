import { computed } from 'vue'
import { useRoute, useRouter } from 'vue-router'
import { parseComparison, type Comparison } from '@/lib/interval'
import { omit } from '@/lib/omit'

/** What the range is compared with, kept in the URL. */
export function useCompare() {
  const route = useRoute()
  const router = useRouter()
  const compare = computed(() => parseComparison(route.query['compare']))

  function setCompare(next: Comparison): void {
    const rest = omit(route.query, 'compare')
    void router.push({ query: next === 'none' ? rest : { ...rest, compare: next } })
  }
  return { compare, setCompare }
}
