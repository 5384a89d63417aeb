/**
 * The answers of the analytics API as the published contract words them.
 *
 * Hand-written until the server's OpenAPI document is in the tree: `npm run generate` writes `schema.ts` from
 * `docs/openapi.json`; this file then keeps only the aliases that the rest of the code uses.
 */

/** Which rows an answer was read from. */
export type Source = 'raw' | 'hourly' | 'mixed'

/** How the samples of a bucket become one value. */
export type Agg = 'avg' | 'min' | 'max' | 'sum' | 'last' | 'p05' | 'p50' | 'p95' | 'p99' | 'count'

/** The figures of one range; what was not measured is null. Times are RFC 3339 UTC. */
export interface Summary {
  from: string
  to: string
  source: Source
  servers: { total: number; reporting: number; silent: number }
  samples: number
  /** Persons on the whole network. */
  players: {
    current: number | null
    avg: number | null
    peak: number | null
    peak_at: string | null
    capacity: number | null
  }
  /** Server frames per second over all samples. */
  fps: { avg: number | null; min: number | null; p05: number | null; p50: number | null }
  /** Milliseconds a frame over all samples. */
  frame_ms: { avg: number | null; p95: number | null; p99: number | null }
  entities: AvgMax
  memory_mb: AvgMax
  cpu_percent: AvgMax
  uptime_percent: number | null
  restarts: number | null
}

/** Mean and largest value over all samples. */
export interface AvgMax {
  avg: number | null
  max: number | null
}

/** Columns ready for a chart: every series has one value for each timestamp. */
export interface Timeseries {
  from: string
  to: string
  /** The effective bucket width as Go writes durations: "5m0s". */
  step: string
  source: Source
  /** False when values are bounds; absent when they are exact. */
  exact?: boolean
  /** Bucket starts, epoch ms. */
  timestamps: number[]
  /** Marks buckets cut by the range's ends or by now. */
  partial: boolean[]
  series: Series[]
}

/** One line: a metric under one aggregation; a bucket without data is null. */
export interface Series {
  metric: string
  agg: Agg
  unit: string
  server_id: string | null
  values: (number | null)[]
}

/** An error answer, RFC 9457. */
export interface Problem {
  type?: string
  title?: string
  status?: number
  detail?: string
  errors?: { location?: string; message?: string; value?: unknown }[]
}
