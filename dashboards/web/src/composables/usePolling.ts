import { onBeforeUnmount, onMounted, shallowReactive, watch } from 'vue'
import { defaultSettings, Poller } from '@/lib/poller'
import { useSession } from '@/session'

/** What a view knows of its data. */
export interface PollState<T> {
  data: T | null
  /** When data arrived, epoch ms. */
  loadedAt: number
  /** Data belongs to an earlier question; the answer to the present one is on its way. */
  pending: boolean
  error: unknown
  /** When the next try after an error starts, epoch ms; null when asking again cannot help. */
  retryAt: number | null
}

/** What to load and what it depends on. */
export interface Question<T> {
  /** A new key is a new question: the request under way ends and the new one starts. */
  key: string
  /** Data of another subject must not be shown while this one loads; of the same subject it may. */
  subject: string
  load: (signal: AbortSignal) => Promise<T>
}

/** Keeps the answer to a question fresh while the page is visible; ends with the component. */
export function usePolling<T>(
  question: () => Question<T>,
  /** From one good answer to the next question, ms. */
  interval = defaultSettings.interval,
): { state: PollState<T>; retry: () => void } {
  const state = shallowReactive<PollState<T>>(initialState())
  const events = {
    onData: (data: T) => Object.assign(state, initialState(), { data, loadedAt: Date.now() }),
    onError: (error: unknown, wait: number | null) => {
      // An old question's data under a new question's name would be a lie.
      if (state.pending) state.data = null
      Object.assign(state, { error, pending: false, retryAt: wait === null ? null : Date.now() + wait })
    },
  }
  const poller = new Poller<T>((signal) => question().load(signal), events, { ...defaultSettings, interval })

  watch([() => question().key, () => question().subject], ([, subject], [, before]) => {
    if (subject !== before) Object.assign(state, initialState())
    Object.assign(state, { pending: state.data !== null, error: null, retryAt: null })
    poller.refresh()
  })
  const session = useSession().state
  watch(
    () => session.value.kind === 'expired',
    // Whoever signs in again goes on where they were: what was refused meanwhile is asked again.
    (expired) => !expired && poller.refresh(),
  )
  followPage(poller)
  return { state, retry: () => poller.refresh() }
}

function initialState() {
  return { data: null, loadedAt: 0, pending: false, error: null, retryAt: null }
}

/** Loads at mount, rests while the tab is hidden, and asks at once when the network is back. */
function followPage<T>(poller: Poller<T>): void {
  const onVisibility = () => (document.hidden ? poller.pause() : poller.resume())
  const onOnline = () => {
    if (!document.hidden) poller.refresh()
  }
  onMounted(() => {
    document.addEventListener('visibilitychange', onVisibility)
    window.addEventListener('online', onOnline)
    if (document.hidden) poller.pause()
    else poller.refresh()
  })
  onBeforeUnmount(() => {
    document.removeEventListener('visibilitychange', onVisibility)
    window.removeEventListener('online', onOnline)
    poller.stop()
  })
}
