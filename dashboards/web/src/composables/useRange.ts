import { computed } from 'vue'
import { useRoute, useRouter } from 'vue-router'
import { parseRange, rangeKey, rangeParams, type TimeRange } from '@/lib/interval'

/** The range of the view, kept in the URL: a link shows a colleague the same, and Back undoes a zoom. */
export function useRange() {
  const route = useRoute()
  const router = useRouter()
  const range = computed(() => parseRange(route.query))

  function setRange(next: TimeRange): void {
    if (rangeKey(next) === rangeKey(range.value)) return
    const rest = Object.entries(route.query).filter(([name]) => !['range', 'from', 'to'].includes(name))
    void router.push({ query: { ...Object.fromEntries(rest), ...rangeParams(next) } })
  }
  return { range, setRange }
}
