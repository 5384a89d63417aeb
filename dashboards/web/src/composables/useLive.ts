import { computed, onBeforeUnmount, onMounted, shallowRef, watch } from 'vue'
import { openLive } from '@/live/open'
import { noLive, type LiveChanges, type LiveSource, type LiveState } from '@/live/types'
import { useSession } from '@/session'

/**
 * The network's totals as they come, while the page is visible; nothing where the stream is refused. onChanges hears of
 * single servers that changed, and of installations on them.
 */
export function useLive(onChanges?: (changes: LiveChanges) => void) {
  const { state, session } = useSession()
  const live = shallowRef<LiveState>(noLive)
  let close: (() => void) | undefined
  let mounted = false

  const follow = () => {
    end()
    // What was live before a pause is not any more.
    live.value = noLive
    if (!mounted || document.hidden || !source.value) return
    close = openLive(source.value, (now, changes) => {
      if (now !== live.value) live.value = now
      if (changes) onChanges?.(changes)
    })
  }
  // A renewed token opens the stream anew, for all tabs together.
  const source = computed((): LiveSource | null => {
    const { kind } = state.value
    if (kind === 'visitor') return { url: '/api/public/demo/live', token: null }
    const token = kind === 'account' || kind === 'token' ? session.token() : null
    return token === null ? null : { url: '/api/analytics/live', token }
  })

  watch(source, follow)
  onMounted(() => {
    mounted = true
    document.addEventListener('visibilitychange', follow)
    window.addEventListener('pagehide', end)
    follow()
  })
  onBeforeUnmount(() => {
    document.removeEventListener('visibilitychange', follow)
    window.removeEventListener('pagehide', end)
    mounted = false
    end()
  })
  function end() {
    close?.()
    close = undefined
  }
  return live
}
