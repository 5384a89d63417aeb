import type { Mark, MarkKind } from '@/api/types'
import { xOf, type Scale } from './hover'

/** Marks that stand so near each other that they are drawn as one. */
export interface MarkGroup {
  /** px from the chart's left edge. */
  x: number
  marks: Mark[]
  /** The weightiest kind among them. */
  kind: MarkKind
}

const weight: Record<MarkKind, number> = { wipe: 5, deploy: 4, map: 3, note: 2, restart: 1 }

/** Marks within the range, those nearer than `gap` px together. */
export function groupMarks(marks: readonly Mark[], scale: Scale, gap = 8): MarkGroup[] {
  const placed = marks
    .map((mark) => ({ mark, t: Date.parse(mark.ts) }))
    .filter(({ t }) => t >= scale.from && t <= scale.to)
    .sort((a, b) => a.t - b.t)
  const groups: MarkGroup[] = []
  for (const { mark, t } of placed) {
    const x = xOf(scale, t)
    const last = groups.at(-1)
    if (last && x - last.x < gap) {
      last.marks.push(mark)
      if (weight[mark.kind] > weight[last.kind]) last.kind = mark.kind
    } else groups.push({ x, marks: [mark], kind: mark.kind })
  }
  return groups
}

/** Marks of the bucket at t, `width` ms wide. */
export function marksAt(marks: readonly Mark[], t: number, width: number): Mark[] {
  return marks.filter((m) => {
    const at = Date.parse(m.ts)
    return at >= t && at < t + width
  })
}

const names: Record<MarkKind, [string, string]> = {
  wipe: ['wipe', 'wipes'],
  restart: ['restart', 'restarts'],
  deploy: ['deploy', 'deploys'],
  map: ['map change', 'map changes'],
  note: ['note', 'notes'],
}

/** Marks in a few words: the title of one, the counts of many. */
export function summarise(marks: readonly Mark[]): string {
  const [only] = marks
  if (marks.length === 1 && only) {
    return only.server_id ? `${only.title} (${only.server_id})` : only.title
  }
  const counts = new Map<MarkKind, number>()
  for (const m of marks) counts.set(m.kind, (counts.get(m.kind) ?? 0) + 1)
  return [...counts]
    .sort(([a], [b]) => weight[b] - weight[a])
    .map(([kind, n]) => `${n} ${names[kind][n === 1 ? 0 : 1]}`)
    .join(', ')
}
