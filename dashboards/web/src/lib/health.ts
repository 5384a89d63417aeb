import type { Timeseries } from '@/api/types'
import type { ServerRow } from './servers'

/** Why a server wants somebody's attention. */
export type Illness = 'silent' | 'slow'

export interface Patient {
  row: ServerRow
  illness: Illness
}

/** Frames per second below which players feel a server stutter. */
export const slowFps = 20

/** The servers that are ill, the silent ones first. A server that never said anything is not ill: it has yet to begin. */
export function patientsOf(rows: readonly ServerRow[]): Patient[] {
  const silent = rows.filter((r) => r.state === 'silent' && r.lastSeen !== null)
  const slow = rows.filter((r) => r.state === 'online' && r.fps !== null && r.fps < slowFps)
  silent.sort((a, b) => (b.lastSeen ?? 0) - (a.lastSeen ?? 0))
  slow.sort((a, b) => (a.fps ?? 0) - (b.fps ?? 0))
  return [
    ...silent.map((row) => ({ row, illness: 'silent' as const })),
    ...slow.map((row) => ({ row, illness: 'slow' as const })),
  ]
}

/**
 * Since when each server has been below a level: the start of its last stretch of buckets below it, by server; a stretch
 * that reaches the start of the answer began earlier. Servers whose newest bucket is not below it are left out.
 */
export function lowSince(answer: Timeseries, level: number): Map<string, { t: number; earlier: boolean }> {
  const since = new Map<string, { t: number; earlier: boolean }>()
  for (const { server_id, values } of answer.series) {
    if (server_id === null) continue
    let start = -1
    for (let i = values.length - 1; i >= 0; i--) {
      const v = values[i]
      if (v === null || v === undefined) continue
      if (v >= level) break
      start = i
    }
    const t = answer.timestamps[start]
    if (t !== undefined) since.set(server_id, { t, earlier: start === 0 })
  }
  return since
}
