import type { Point } from './points'

/** How a value grows: units an hour by least squares over whole buckets, since the moment t; null with too few of them. */
export function slopePerHour(
  points: readonly Point[],
  since: number,
): { slope: number; hours: number } | null {
  const used = points.filter((p) => p.v !== null && !p.partial && p.t >= since)
  const [first, last] = [used[0], used.at(-1)]
  if (!first || !last || used.length < 6) return null
  const hours = used.map((p) => (p.t - first.t) / 3_600_000)
  const values = used.map((p) => p.v as number)
  const mean = (xs: number[]) => xs.reduce((a, b) => a + b, 0) / xs.length
  const [mx, my] = [mean(hours), mean(values)]
  let [above, below] = [0, 0]
  hours.forEach((x, i) => {
    above += (x - mx) * ((values[i] as number) - my)
    below += (x - mx) ** 2
  })
  if (below === 0) return null
  return { slope: above / below, hours: (last.t - first.t) / 3_600_000 }
}
