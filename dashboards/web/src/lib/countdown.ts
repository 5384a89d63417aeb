/** The countdown to a moment. Pure. */

export interface Remaining {
  days: number
  hours: number
  minutes: number
  seconds: number
  /** The moment has come: all parts are 0 and stay so. */
  over: boolean
}

/** Whole seconds are rounded up, so that 0 shows when the moment comes and not a second before. */
export function remaining(ms: number): Remaining {
  const left = Math.max(0, Math.ceil(ms / 1000))
  return {
    days: Math.floor(left / 86_400),
    hours: Math.floor(left / 3600) % 24,
    minutes: Math.floor(left / 60) % 60,
    seconds: left % 60,
    over: left === 0,
  }
}

/** How long until the shown second changes, ms: ticks keep to the target's seconds and never skip one. */
export const untilTick = (ms: number): number => (ms <= 0 ? Infinity : ((ms - 1) % 1000) + 1)

/** The same in words, for those who hear it. */
export function spoken({ days, hours, minutes, over }: Remaining): string {
  if (over) return 'The launch is here.'
  const part = (n: number, name: string) => (n > 0 ? [`${n} ${name}${n === 1 ? '' : 's'}`] : [])
  const parts = [...part(days, 'day'), ...part(hours, 'hour'), ...(days > 0 ? [] : part(minutes, 'minute'))]
  return parts.length > 0
    ? `${parts.join(' and ')} until the launch.`
    : 'Less than a minute until the launch.'
}
