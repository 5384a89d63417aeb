import type { GameServer, LiveServer } from '@/api/types'

/** A row of the table of servers: what is written of a server, with the newest that is known of it. */
export interface ServerRow {
  id: string
  name: string
  state: 'online' | 'silent'
  /** Epoch ms; null when nothing was ever heard. */
  lastSeen: number | null
  map: string
  version: string
  tags: Record<string, string>
  players: number | null
  maxPlayers: number | null
  fps: number | null
  frameMs: number | null
  entities: number | null
  memory: number | null
  cpu: number | null
  /** Players by the hour for a day. */
  spark: readonly (number | null)[]
}

export const sortKeys = [
  'name',
  'state',
  'players',
  'fps',
  'frameMs',
  'cpu',
  'memory',
  'entities',
  'lastSeen',
] as const
export type SortKey = (typeof sortKeys)[number]

export interface Sorting {
  key: SortKey
  down: boolean
}

export const defaultSorting: Sorting = { key: 'players', down: true }

/** Reads a sorting as the URL has it: a key, with a minus before it from the highest down. */
export function parseSorting(text: unknown): Sorting {
  if (typeof text !== 'string') return defaultSorting
  const down = text.startsWith('-')
  const key = sortKeys.find((k) => k === text.replace(/^-/, ''))
  return key ? { key, down } : defaultSorting
}

export const sortingText = ({ key, down }: Sorting): string => `${down ? '-' : ''}${key}`

const numberOf = (values: Record<string, unknown>, name: string): number | null => {
  const v = values[name]
  return typeof v === 'number' ? v : null
}

export function rowOf(server: GameServer, live?: LiveServer): ServerRow {
  // A sample leaves out what was not measured in it: what was measured last still stands.
  const values = { ...server.latest, ...live?.sample }
  const seen = live?.last_seen ?? server.last_seen
  return {
    id: server.server_id,
    name: server.name || server.server_id,
    state: live?.state ?? server.state,
    lastSeen: seen === null ? null : Date.parse(seen),
    map: server.map ?? '',
    version: server.version ?? '',
    tags: server.tags,
    players: numberOf(values, 'players'),
    maxPlayers: numberOf(values, 'max_players'),
    fps: numberOf(values, 'fps'),
    frameMs: numberOf(values, 'frame_ms'),
    entities: numberOf(values, 'entities'),
    memory: numberOf(values, 'memory_mb'),
    cpu: numberOf(values, 'cpu_percent'),
    spark: server.sparkline.values,
  }
}

/** Servers that have something like the text in their name, id, map, version or a tag, in one state or in any. */
export function filterRows(
  rows: readonly ServerRow[],
  text: string,
  state: '' | ServerRow['state'],
): ServerRow[] {
  const wanted = text.trim().toLowerCase()
  return rows.filter((row) => {
    if (state !== '' && row.state !== state) return false
    if (wanted === '') return true
    const words = [row.name, row.id, row.map, row.version, ...Object.values(row.tags)]
    return words.some((w) => w.toLowerCase().includes(wanted))
  })
}

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' })

/** Sorted anew; what was not measured comes last either way, and equals stand by name. */
export function sortRows(rows: readonly ServerRow[], { key, down }: Sorting): ServerRow[] {
  const sign = down ? -1 : 1
  return [...rows].sort((a, b) => {
    const [x, y] = [a[key], b[key]]
    if (x === y) return collator.compare(a.name, b.name)
    if (x === null) return 1
    if (y === null) return -1
    const order = typeof x === 'string' ? collator.compare(x, String(y)) : x - Number(y)
    return order * sign || collator.compare(a.name, b.name)
  })
}
