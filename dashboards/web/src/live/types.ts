/** The events of the live stream, as the OpenAPI document words them; only what the pages use. */

/** A network's figures now, over its servers that are online; what none of them measured is null. */
export interface LiveTotals {
  at: string
  servers: { total: number; online: number; silent: number }
  players: { current: number | null; capacity: number | null }
  /** False while earlier samples could not be read. */
  complete: boolean
  /** Since when the server itself hears nothing; null while all is well. */
  stale_since: string | null
}

/** What a page knows of its stream. */
export interface LiveState {
  /** The latest totals; null until the first ones, and when the stream is refused. */
  totals: LiveTotals | null
  /** Since when the totals cannot be trusted to be the latest, epoch ms; null while they are. */
  staleSince: number | null
}

export const noLive: LiveState = { totals: null, staleSince: null }

/** Where a stream is read: its URL and, but for the demo network, a token that travels in a header. */
export interface LiveSource {
  url: string
  token: string | null
}
