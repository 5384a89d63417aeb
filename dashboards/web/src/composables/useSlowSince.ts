import { computed, shallowRef, watch, type Ref } from 'vue'
import { lowSince, slowFps, type Patient } from '@/lib/health'
import { useSession } from '@/session'

/** How far back the start of a slow stretch is looked for. */
const range = { range: '6h' }
const step = '5m'
/** So many slow servers are looked at: a page of more is read by its count. */
const most = 10

/** Since when slow servers have been slow, by server; asked when another server becomes slow. */
export function useSlowSince(patients: Ref<readonly Patient[]>) {
  const { reader, subject } = useSession()
  const since = shallowRef<ReadonlyMap<string, { t: number; earlier: boolean }>>(new Map())
  const slow = computed(() =>
    patients.value
      .filter((p) => p.illness === 'slow')
      .slice(0, most)
      .map((p) => p.row.id)
      .sort()
      .join(' '),
  )
  watch(
    [slow, subject],
    async ([ids], _, onCleanup) => {
      since.value = new Map()
      if (ids === '') return
      const abort = new AbortController()
      onCleanup(() => abort.abort())
      try {
        const query = {
          range,
          step,
          metrics: ['fps'],
          agg: 'avg',
          server_id: ids.split(' '),
          group_by: 'server',
        } as const
        since.value = lowSince(
          await reader.value.timeseries({ ...query, server_id: [...query.server_id] }, abort.signal),
          slowFps,
        )
      } catch {
        // Since when is a comfort: that a server is slow is said without it.
      }
    },
    { immediate: true },
  )
  return since
}
