import type { Milestone } from '@/api/types'

/** What of a milestone decides how its time is said. */
export type Dated = Pick<Milestone, 'at' | 'launch' | 'reached'>

/**
 * When something is or was. A day is said of what has happened and of the launch; what lies before the launch is planned
 * for a day, and nothing beyond it is dated: it is planned, and roadmap votes decide what comes first.
 */
export function whenText(m: Dated, all: readonly Dated[], locale?: string): string {
  const day = new Intl.DateTimeFormat(locale, {
    day: 'numeric',
    month: 'long',
    year: 'numeric',
    ...(m.launch ? {} : { timeZone: 'UTC' }),
  }).format(Date.parse(m.at))
  if (m.reached || m.launch) return day
  const launch = all.find((other) => other.launch)
  return launch && Date.parse(m.at) > Date.parse(launch.at) ? 'Planned, under vote' : `Planned for ${day}`
}
