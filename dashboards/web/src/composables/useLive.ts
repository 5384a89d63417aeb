import { onBeforeUnmount, onMounted, shallowRef, watch } from 'vue'
import { openLive } from '@/live/open'
import { noLive, type LiveSource, type LiveState } from '@/live/types'
import { useCredentials } from './useCredentials'

/** The network's totals as they come, while the page is visible; nothing where the stream is refused. */
export function useLive() {
  const { credentials } = useCredentials()
  const live = shallowRef<LiveState>(noLive)
  let close: (() => void) | undefined
  let mounted = false

  const follow = () => {
    end()
    // What was live before a pause is not any more.
    live.value = noLive
    if (!mounted || document.hidden) return
    close = openLive(sourceOf(), (state) => (live.value = state))
  }
  const sourceOf = (): LiveSource =>
    credentials.value.kind === 'demo'
      ? { url: '/api/public/demo/live', token: null }
      : { url: '/api/analytics/live', token: credentials.value.token }

  watch(credentials, follow)
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
