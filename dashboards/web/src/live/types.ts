import type { Transition } from '@/api/modules'
import type { LiveServer, LiveTotals } from '@/api/types'

export type { LiveServer, LiveTotals, Transition }

/** What a page knows of its stream. */
export interface LiveState {
  /** The latest totals; null until the first ones, and when the stream is refused. */
  totals: LiveTotals | null
  /** Since when the totals cannot be trusted to be the latest, epoch ms; null while they are. */
  staleSince: number | null
}

/** What changed of single servers, and of installations on them, since the last time. */
export interface LiveChanges {
  /** Everything known before is to be forgotten. */
  reset: boolean
  servers: LiveServer[]
  gone: string[]
  /** What has become of installations; each is told once. */
  installations?: Transition[]
}

/** What is told of a stream: its state, and what changed. */
export type Tell = (state: LiveState, changes?: LiveChanges) => void

export const noLive: LiveState = { totals: null, staleSince: null }

/** Where a stream is read: its URL and, but for the demo network, a token that travels in a header. */
export interface LiveSource {
  url: string
  token: string | null
}
