import { onBeforeUnmount } from 'vue'
import type { Transition } from '@/api/modules'
import { useLive } from './useLive'

/** Changes come in crowds: what they concern is read once for all of a moment, ms. */
const moment = 300

/**
 * Hears of every change of the license's installations within a second. `each` says whether what was read has to be read
 * again for it; `read` reads it, also after the stream had a gap.
 */
export function useTransitions(each: (told: Transition) => boolean, read: () => void): void {
  let timer: ReturnType<typeof setTimeout> | undefined
  const soon = () => {
    timer ??= setTimeout(() => {
      timer = undefined
      read()
    }, moment)
  }
  useLive(({ reset, installations = [] }) => {
    // Every one is told of, whether or not an earlier one is reason enough.
    const behind = installations.map(each).some(Boolean)
    if (reset || behind) soon()
  })
  onBeforeUnmount(() => clearTimeout(timer))
}
