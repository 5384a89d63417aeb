import type { Timeseries } from '@/api/types'
import type { ChartLine } from '@/lib/charts'
import type { Point } from '@/lib/points'

/** A whole bucket, a partial one and an empty one, at minute n. */
export const p = (n: number, v: number): Point => ({ t: n * 60_000, v, partial: false })
export const part = (n: number, v: number): Point => ({ t: n * 60_000, v, partial: true })
export const gap = (n: number): Point => ({ t: n * 60_000, v: null, partial: false })

export const lineOf = (...points: Point[]): ChartLine => ({
  metric: 'fps',
  agg: 'avg',
  label: 'Average',
  tone: 'main',
  points,
})

export const answer = (over: Partial<Timeseries> = {}): Timeseries => ({
  from: '2026-11-23T00:00:00Z',
  to: '2026-11-23T00:02:00Z',
  step: '1m0s',
  source: 'raw',
  timestamps: [0, 60_000],
  partial: [false, true],
  series: [{ metric: 'fps', agg: 'avg', unit: 'fps', server_id: null, values: [60, null] }],
  ...over,
})
