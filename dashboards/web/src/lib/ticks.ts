/** Where a time axis has its labels: round moments of the local clock, evenly spaced. Pure but for the zone. */

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour

const steps = [1, 2, 5, 10, 15, 30].map((n) => n * minute)
steps.push(...[1, 2, 3, 6, 12].map((n) => n * hour), ...[1, 2, 3, 5, 7, 14, 30, 60].map((n) => n * day))

/** At most `most` round local moments within [from, to], epoch ms ascending. */
export function timeTicks(from: number, to: number, most: number): number[] {
  const step = steps.find((s) => (to - from) / s <= most) ?? (steps.at(-1) as number)
  const ticks = step < day ? withinDays(from, to, step) : wholeDays(from, to, step / day)
  return ticks.filter((t) => t >= from && t <= to)
}

// Counting from each local midnight keeps the hours round on days of 23 and of 25 hours.
function withinDays(from: number, to: number, step: number): number[] {
  const ticks: number[] = []
  for (let midnight = new Date(from).setHours(0, 0, 0, 0); midnight <= to; midnight = addDays(midnight, 1)) {
    for (let since = 0; since < day; since += step) ticks.push(new Date(midnight).setMinutes(since / minute))
  }
  return [...new Set(ticks)].sort((a, b) => a - b)
}

// Counting back from the newest midnight: today has a label wherever there is room for one.
function wholeDays(from: number, to: number, every: number): number[] {
  const ticks: number[] = []
  for (let t = new Date(to).setHours(0, 0, 0, 0); t >= from; t = addDays(t, -every)) ticks.unshift(t)
  return ticks
}

function addDays(t: number, n: number): number {
  const date = new Date(t)
  return new Date(date.getFullYear(), date.getMonth(), date.getDate() + n).getTime()
}
