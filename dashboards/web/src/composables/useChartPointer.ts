import { computed, ref, type Ref } from 'vue'
import { stepIndex, timeAt, xOf, type Scale } from '@/lib/hover'
import { plot } from '@/lib/option'
import { nearest } from '@/lib/points'
import { useCrosshair } from './useCrosshair'

interface Chart {
  id: string
  frame: Readonly<Ref<HTMLElement | null>>
  /** The moments that can be pointed at, ascending. */
  times: Readonly<Ref<number[]>>
  scale: Readonly<Ref<Scale>>
  zoom: (from: number, to: number) => void
}

// A drag shorter than this, px, was a click.
const minDrag = 8

/**
 * Mouse, finger and keyboard on a chart: they move the view's cross-hair, choose a stretch to zoom into, and, with Shift
 * or the middle button, move the range itself.
 */
export function useChartPointer({ id, frame, times, scale, zoom }: Chart) {
  const crosshair = useCrosshair()
  // The moment where a selection began; null when none is under way.
  const anchor = ref<number | null>(null)

  // Where a drag of the range began, px; null when none is under way. By so many ms the range is moved.
  let grabbed: number | null = null
  const pan = ref(0)

  const index = computed(() => (crosshair.value ? nearest(times.value, crosshair.value.t) : -1))
  const moment = computed(() => times.value[index.value] ?? null)
  const mine = computed(() => crosshair.value?.chart === id)
  const x = computed(() => (moment.value === null ? 0 : xOf(scale.value, moment.value)))
  const selection = computed(() => {
    if (anchor.value === null || !mine.value || !crosshair.value) return null
    const [a, b] = [xOf(scale.value, anchor.value), xOf(scale.value, crosshair.value.t)]
    return { left: Math.min(a, b), width: Math.abs(b - a) }
  })

  function pointTo(event: PointerEvent): number {
    const left = frame.value?.getBoundingClientRect().left ?? 0
    const t = timeAt(scale.value, event.clientX - left)
    crosshair.value = { t, chart: id }
    return t
  }

  function finish(least: number): void {
    const chosen = selection.value
    const [from, to] = [anchor.value, crosshair.value?.t]
    anchor.value = null
    if (chosen && chosen.width >= least && from !== null && to !== undefined) zoom(from, to)
  }

  function drag(event: PointerEvent): void {
    if (grabbed === null) return void pointTo(event)
    const { from, to, width } = scale.value
    pan.value = ((grabbed - event.clientX) / Math.max(1, width - plot.left - plot.right)) * (to - from)
  }

  function release(): void {
    if (grabbed === null) return finish(minDrag)
    grabbed = null
    const moved = pan.value
    pan.value = 0
    if (moved !== 0) zoom(scale.value.from + moved, scale.value.to + moved)
  }

  function leave(): void {
    grabbed = null
    pan.value = 0
    anchor.value = null
    if (mine.value) crosshair.value = null
  }

  function onKey(event: KeyboardEvent): void {
    if (event.key === 'Escape') return leave()
    if (event.key === 'Enter' && moment.value !== null) {
      if (anchor.value === null) anchor.value = moment.value
      // Keys choose moments, however near each other they are drawn.
      else finish(0)
      return event.preventDefault()
    }
    const start = index.value < 0 ? times.value.length : index.value
    const next = stepIndex(event.key, start, times.value.length, event.shiftKey)
    const t = next === null ? undefined : times.value[next]
    if (t === undefined) return
    crosshair.value = { t, chart: id }
    event.preventDefault()
  }

  const listeners = {
    pointermove: drag,
    pointerdown: (event: PointerEvent) => {
      const t = pointTo(event)
      // A finger scrolls and reads; only mouse and pen select.
      if (event.pointerType === 'touch' || event.button > 1) return
      if (event.button === 1 || event.shiftKey) {
        grabbed = event.clientX
        event.preventDefault()
      } else anchor.value = t
      frame.value?.setPointerCapture(event.pointerId)
    },
    pointerup: release,
    pointercancel: leave,
    pointerleave: leave,
    blur: leave,
    keydown: onKey,
  }
  return { index, moment, mine, x, selection, pan, listeners }
}
