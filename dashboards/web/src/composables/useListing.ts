import { ref } from 'vue'
import { useSession } from '@/session'
import { usePolling } from './usePolling'

/** A page of a list, and the cursor of the next one; null at the end. */
export interface ListPage<T> {
  items: readonly T[]
  next: string | null
}

const interval = 60_000

/** A list that the API gives page by page, kept fresh; `more` reads one page further. */
export function useListing<T>(
  /** A new key is a new list, and begins with its first page. */
  key: () => string,
  read: (cursor: string | undefined, signal: AbortSignal) => Promise<ListPage<T>>,
  every = interval,
) {
  const { subject } = useSession()
  let of = key()
  let pages = 1
  const reading = ref(false)

  // All pages that are shown are read again together: entries that came or went leave no gap and no double.
  async function load(signal: AbortSignal): Promise<ListPage<T>> {
    if (of !== key()) [of, pages] = [key(), 1]
    try {
      let all: ListPage<T> = { items: [], next: null }
      for (let n = 0; n < pages && (n === 0 || all.next); n++) {
        const page = await read(all.next ?? undefined, signal)
        all = { items: [...all.items, ...page.items], next: page.next }
      }
      return all
    } finally {
      reading.value = false
    }
  }
  const { state, retry } = usePolling<ListPage<T>>(
    () => ({ key: key(), subject: subject.value, load }),
    every,
  )
  function more(): void {
    pages++
    reading.value = true
    retry()
  }
  return { state, retry, more, reading }
}
