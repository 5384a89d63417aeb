import type { Agg, Timeseries } from '@/api/types'

/** One bucket of one line: its start in epoch ms; v is null where nothing was measured. */
export interface Point {
  t: number
  v: number | null
  /** The bucket is cut by an end of the range or by now: its value may still move. */
  partial: boolean
}

/** A metric under one aggregation, bucket by bucket. */
export interface Line {
  metric: string
  agg: Agg
  points: Point[]
}

/** What ECharts draws: a moment and a value, null breaking the line. */
export type Cell = [number, number | null]

/** A line cut by certainty: solid where both ends are whole buckets, dashed where one is partial. */
export interface Segments {
  solid: Cell[]
  dashed: Cell[]
  /** Moments of points without a neighbour: no line reaches them, so they need a mark of their own. */
  lone: Set<number>
}

/** The points of one of an answer's series. */
export function toPoints(answer: Timeseries, index: number): Point[] {
  const values = answer.series[index]?.values ?? []
  return answer.timestamps.map((t, i) => ({ t, v: values[i] ?? null, partial: answer.partial[i] ?? false }))
}

/** The answer's columns as lines, in the answer's order. */
export function toLines(answer: Timeseries): Line[] {
  return answer.series.map((series, i) => ({
    metric: series.metric,
    agg: series.agg as Agg,
    points: toPoints(answer, i),
  }))
}

/** The same line ms later. Nothing of an earlier time is still under way. */
export function shiftLine<L extends Line>(line: L, ms: number): L {
  return { ...line, points: line.points.map((p) => ({ t: p.t + ms, v: p.v, partial: false })) }
}

/** Cuts a line for drawing. A gap stays a gap: null is never joined over. */
export function segments(points: readonly Point[]): Segments {
  const solid: Cell[] = points.map((p) => [p.t, null])
  const dashed: Cell[] = points.map((p) => [p.t, null])
  const joined = new Set<number>()
  for (let i = 0; i + 1 < points.length; i++) {
    const [a, b] = [points[i] as Point, points[i + 1] as Point]
    if (a.v === null || b.v === null) continue
    const target = a.partial || b.partial ? dashed : solid
    target[i] = [a.t, a.v]
    target[i + 1] = [b.t, b.v]
    joined.add(a.t).add(b.t)
  }
  return { solid, dashed, lone: markLone(points, joined, solid) }
}

function markLone(points: readonly Point[], joined: Set<number>, solid: Cell[]): Set<number> {
  const lone = new Set<number>()
  points.forEach((p, i) => {
    if (p.v === null || joined.has(p.t)) return
    lone.add(p.t)
    solid[i] = [p.t, p.v]
  })
  return lone
}

/** The stretches in which no line has a value, each from the last point before to the first after, within [from, to]. */
export function gaps(lines: readonly Line[], from: number, to: number): [number, number][] {
  const times = allTimes(lines)
  const filled = new Set(lines.flatMap((l) => l.points.filter((p) => p.v !== null).map((p) => p.t)))
  const found: [number, number][] = []
  let start: number | null = null
  let last = from
  for (const t of times) {
    if (!filled.has(t)) start ??= last
    else {
      if (start !== null) found.push([start, t])
      start = null
      last = t
    }
  }
  if (start !== null) found.push([start, to])
  return found
}

/** Every moment that any of the lines has, ascending: lines of different answers may differ by a bucket. */
export function allTimes(lines: readonly Line[]): number[] {
  return [...new Set(lines.flatMap((l) => l.points.map((p) => p.t)))].sort((a, b) => a - b)
}

/** The index of the moment nearest to t in ascending times; -1 when there is none. */
export function nearest(times: readonly number[], t: number): number {
  let low = 0
  let high = times.length - 1
  while (low < high) {
    const mid = (low + high) >> 1
    if ((times[mid] as number) < t) low = mid + 1
    else high = mid
  }
  const here = times[low]
  const before = times[low - 1]
  if (here === undefined) return -1
  return before !== undefined && t - before <= here - t ? low - 1 : low
}

/** The point of a line at exactly the moment t. */
export function pointAt(line: Line, t: number): Point | undefined {
  const i = nearest(
    line.points.map((p) => p.t),
    t,
  )
  const point = line.points[i]
  return point?.t === t ? point : undefined
}

/** The newest point with a value. */
export function latest(line: Line): Point | undefined {
  return line.points.findLast((p) => p.v !== null)
}

/** Nothing to draw: no line has a single value. */
export function isEmpty(lines: readonly Line[]): boolean {
  return lines.every((l) => l.points.every((p) => p.v === null))
}
