import { onBeforeUnmount, ref, watch, type Ref } from 'vue'

/** The width of an element, px, as it changes; 0 while there is none. */
export function useWidth(element: Readonly<Ref<HTMLElement | null>>) {
  const width = ref(0)
  const observer = new ResizeObserver(([entry]) => {
    if (entry) width.value = (entry.target as HTMLElement).offsetWidth
  })
  watch(
    element,
    (now, before) => {
      if (before) observer.unobserve(before)
      if (now) observer.observe(now)
    },
    { immediate: true, flush: 'post' },
  )
  onBeforeUnmount(() => observer.disconnect())
  return width
}
