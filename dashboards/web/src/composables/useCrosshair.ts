import { inject, provide, shallowRef, type InjectionKey, type ShallowRef } from 'vue'

/** The moment that the reader points at, shared by all charts of a view; null when none. */
export type Crosshair = ShallowRef<{ t: number; chart: string } | null>

const key: InjectionKey<Crosshair> = Symbol('crosshair')

export function provideCrosshair(): Crosshair {
  const crosshair: Crosshair = shallowRef(null)
  provide(key, crosshair)
  return crosshair
}

/** The view's cross-hair; a chart on its own gets one of its own. */
export function useCrosshair(): Crosshair {
  return inject(key, () => shallowRef(null), true)
}
