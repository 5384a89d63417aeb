import { computed, type Ref } from 'vue'
import { bodyOf, fileOf } from '@/api/http'
import type { AuditPage } from '@/api/types'
import { extended, filterParams, refreshed, type AuditFilter, type AuditView } from '@/lib/audit'
import { saveBlob } from '@/lib/files'
import { http, useSession } from '@/session'
import { usePolling } from './usePolling'

const interval = 60_000

/** The entries that a filter chooses, the newest first and kept fresh; `more` reads the page behind them. */
export function useAudit(filter: Ref<AuditFilter>) {
  const { subject } = useSession()
  const key = computed(() => JSON.stringify(filterParams(filter.value)))
  // What was read under a filter of one network; of another one nothing may be kept.
  let known: { of: string; view: AuditView } | null = null
  const of = () => `${subject.value} ${key.value}`

  async function read(signal?: AbortSignal, cursor?: string): Promise<AuditPage> {
    const query = { ...filterParams(filter.value), ...(cursor ? { cursor } : {}) }
    return bodyOf<AuditPage>(http.GET('/api/audit', { params: { query }, ...(signal ? { signal } : {}) }))
  }

  const { state, retry } = usePolling<AuditView>(
    () => ({
      key: key.value,
      subject: subject.value,
      load: async (signal) => {
        const asked = of()
        const page = await read(signal)
        const view = refreshed(known?.of === asked ? known.view : null, page)
        known = { of: asked, view }
        return view
      },
    }),
    interval,
  )

  async function more(): Promise<void> {
    const [asked, before] = [of(), state.data]
    if (!before?.next) return
    const page = await read(undefined, before.next)
    // Another filter, or new entries, may have come meanwhile.
    if (known?.of !== asked || known.view.next !== before.next) return
    known = { of: asked, view: extended(known.view, page) }
    state.data = known.view
  }

  /** Saves every entry that the filter chooses as a file. */
  async function download(format: 'csv' | 'ndjson'): Promise<void> {
    const query = { ...filterParams(filter.value), format }
    const { blob, name } = await fileOf(
      http.GET('/api/audit', { params: { query }, parseAs: 'blob' }),
      `audit.${format}`,
    )
    saveBlob(blob, name)
  }
  return { state, retry, more, download }
}
