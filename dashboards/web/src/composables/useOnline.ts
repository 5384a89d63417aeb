import { onBeforeUnmount, onMounted, ref } from 'vue'

/** Whether the browser believes it has a network. */
export function useOnline() {
  const online = ref(navigator.onLine)
  const follow = () => (online.value = navigator.onLine)
  onMounted(() => ['online', 'offline'].forEach((e) => window.addEventListener(e, follow)))
  onBeforeUnmount(() => ['online', 'offline'].forEach((e) => window.removeEventListener(e, follow)))
  return online
}
