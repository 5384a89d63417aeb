import type { ChartLine } from './charts'
import { formatMoment, formatValue, nothing, type Kind, type Place } from './format'
import { allTimes, latest, pointAt } from './points'

/** One line's value at a moment, written out. */
export interface Reading {
  label: string
  tone: ChartLine['tone']
  text: string
}

/** What all lines of a chart say at a moment. */
export interface Readout {
  when: string
  readings: Reading[]
  partial: boolean
  /** No line has a value there. */
  gap: boolean
}

/** Reads a chart at a moment of its lines; at null, the newest value of each line. */
export function readAt(
  lines: readonly ChartLine[],
  t: number | null,
  kind: Kind,
  place: Place = {},
): Readout {
  const points = lines.map((line) => (t === null ? latest(line) : pointAt(line, t)))
  const moments = t === null ? points.flatMap((p) => p?.t ?? []) : [t]
  return {
    when: moments.length > 0 ? formatMoment(Math.max(...moments), place) : nothing,
    readings: lines.map((line, i) => ({
      label: line.label,
      tone: line.tone,
      text: formatValue(kind, points[i]?.v, place),
    })),
    partial: points.some((p) => p?.partial && p.v !== null),
    gap: points.every((p) => p === undefined || p.v === null),
  }
}

/** A readout as one sentence, for a screen reader. */
export function speak(readout: Readout): string {
  if (readout.gap) return `${readout.when}: no data`
  const values = readout.readings.map((r) => `${r.label} ${r.text}`).join(', ')
  return `${readout.when}: ${values}${readout.partial ? ', bucket not complete' : ''}`
}

/** A chart in words: its lowest, highest and newest values and its holes, for those who do not see it. */
export function describe(lines: readonly ChartLine[], kind: Kind, place: Place = {}): string {
  const sentences = lines.map((line) => {
    const values = line.points.flatMap((p) => (p.v === null ? [] : [p.v]))
    if (values.length === 0) return `${line.label}: no data.`
    const text = (v: number) => formatValue(kind, v, place)
    const [low, high] = [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))]
    return `${line.label}: from ${text(low)} to ${text(high)}, newest ${text(values.at(-1) as number)}.`
  })
  const times = allTimes(lines).length
  const empty =
    times - new Set(lines.flatMap((l) => l.points.filter((p) => p.v !== null).map((p) => p.t))).size
  if (empty > 0 && empty < times) sentences.push(`${empty} of ${times} intervals have no data.`)
  return sentences.join(' ')
}
