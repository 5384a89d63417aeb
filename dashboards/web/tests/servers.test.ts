import { describe, expect, it } from 'vitest'
import type { GameServer, Mark } from '@/api/types'
import { lowSince, patientsOf } from '@/lib/health'
import { groupMarks, marksAt, summarise } from '@/lib/marks'
import { serverCharts, chunked } from '@/lib/serverCharts'
import { filterRows, parseSorting, rowOf, sortingText, sortRows } from '@/lib/servers'
import { slopePerHour } from '@/lib/slope'
import { sparkPath } from '@/lib/sparkline'
import { answer, gap, p, part } from './build'

const server = (server_id: string, over: Partial<GameServer> = {}): GameServer => ({
  archived_at: null,
  expected_interval_s: null,
  first_seen: null,
  groups: [],
  last_seen: '2026-11-23T18:00:00Z',
  latest: {},
  map: null,
  name: '',
  notes: '',
  registered: false,
  server_id,
  sparkline: { from: '', metric: 'players', step: '1h', values: [] },
  state: 'online',
  tags: {},
  version: null,
  ...over,
})
const row = (id: string, over: Partial<GameServer> = {}) => rowOf(server(id, over))

describe('rows of servers', () => {
  it('shows the newest that is known: the live sample over the list, and the list where it says nothing', () => {
    const listed = server('a', { latest: { players: 3, fps: 60 }, name: 'Alpha' })
    const sample = { players: 5, map: 'x' }
    const live = { server_id: 'a', state: 'silent' as const, last_seen: '2026-11-23T18:01:00Z', sample }
    expect(rowOf(listed, live)).toMatchObject({
      name: 'Alpha',
      state: 'silent',
      players: 5,
      fps: 60,
      lastSeen: Date.UTC(2026, 10, 23, 18, 1),
    })
    expect(rowOf(listed)).toMatchObject({ players: 3, cpu: null, state: 'online' })
  })

  it('sorts numbers as numbers, names as people do, and leaves the unknown last either way', () => {
    const rows = [row('s10', { latest: { fps: 9 } }), row('s9', { latest: { fps: 60 } }), row('s1')]
    const ids = (key: string) => sortRows(rows, parseSorting(key)).map((r) => r.id)
    expect(ids('name')).toEqual(['s1', 's9', 's10'])
    expect(ids('fps')).toEqual(['s10', 's9', 's1'])
    expect(ids('-fps')).toEqual(['s9', 's10', 's1'])
    expect(sortingText(parseSorting('-fps'))).toBe('-fps')
    expect(parseSorting('nonsense')).toEqual({ key: 'players', down: true })
  })

  it('finds by name, map and tag, and by state', () => {
    const rows = [
      row('eu-1', { tags: { region: 'Europe' } }),
      row('us-1', { map: 'Barren', state: 'silent' }),
    ]
    const ids = (text: string, state: '' | 'online' | 'silent' = '') =>
      filterRows(rows, text, state).map((r) => r.id)
    expect([ids('europe'), ids('BARREN'), ids(''), ids('', 'silent'), ids('x')]).toEqual([
      ['eu-1'],
      ['us-1'],
      ['eu-1', 'us-1'],
      ['us-1'],
      [],
    ])
  })

  it('draws a sparkline that keeps its gaps', () => {
    expect(sparkPath([0, 5, 10], 20, 10)).toBe('M0 10L0 10L10 5L20 0')
    expect(sparkPath([10, null, 10], 20, 10)).toBe('M0 0L0 0M20 0L20 0')
    expect(sparkPath([], 20, 10)).toBe('')
  })
})

describe('ill servers', () => {
  it('are silent or slow; one that never spoke is neither', () => {
    const rows = [
      row('well', { latest: { fps: 60 } }),
      row('slow', { latest: { fps: 9 } }),
      row('gone', { state: 'silent', latest: { fps: 9 } }),
      row('new', { state: 'silent', last_seen: null }),
    ]
    expect(patientsOf(rows).map((x) => [x.row.id, x.illness])).toEqual([
      ['gone', 'silent'],
      ['slow', 'slow'],
    ])
  })

  it('have been slow since their last stretch below the level began', () => {
    const of = (server_id: string, values: (number | null)[]) => ({
      metric: 'fps',
      agg: 'avg',
      unit: 'frames/s',
      server_id,
      values,
    })
    const timestamps = [0, 1, 2, 3]
    const got = lowSince(
      answer({
        timestamps,
        partial: [false, false, false, true],
        series: [of('a', [60, 9, null, 8]), of('b', [9, 9, 9, 9]), of('c', [9, 9, 9, 60])] as never,
      }),
      20,
    )
    expect([...got]).toEqual([
      ['a', { t: 1, earlier: false }],
      ['b', { t: 0, earlier: true }],
    ])
  })
})

describe('marks', () => {
  const mark = (minute: number, kind: Mark['kind'], server_id: string | null = null): Mark => ({
    id: `${minute}`,
    ts: new Date(minute * 60_000).toISOString(),
    kind,
    title: `a ${kind}`,
    text: '',
    server_id,
    source: 'api',
    data: null,
    received_at: '',
  })
  const scale = { from: 0, to: 600_000, width: 672 }

  it('are drawn together where they stand together, under the weightiest kind', () => {
    const groups = groupMarks(
      [mark(5, 'restart'), mark(5.01, 'wipe'), mark(8, 'note'), mark(99, 'note')],
      scale,
    )
    expect(groups.map((g) => [g.kind, g.marks.length])).toEqual([
      ['wipe', 2],
      ['note', 1],
    ])
  })

  it('are said in words', () => {
    const all = [mark(1, 'restart', 'eu-1'), mark(1.5, 'restart'), mark(1.6, 'wipe'), mark(9, 'note')]
    expect(summarise(marksAt(all, 60_000, 60_000))).toBe('1 wipe, 2 restarts')
    expect(summarise(all.slice(0, 1))).toBe('a restart (eu-1)')
    expect(summarise([])).toBe('')
  })
})

describe('the charts of a server', () => {
  const metric = (name: string, custom = false) => ({ metric: name, custom, unit: '', servers: 1 })

  it('show what it measures and nothing else', () => {
    const { fields, custom } = serverCharts([
      metric('fps'),
      metric('memory_mb'),
      metric('metrics.loot', true),
    ])
    expect(fields.map((c) => [c.id, c.lines.length])).toEqual([
      ['fps', 3],
      ['memory', 2],
    ])
    expect(custom.map((c) => [c.title, c.lines[0]?.metric])).toEqual([['loot', 'metrics.loot']])
  })

  it('ask for at most fifty metrics at once', () => {
    const metrics = Array.from({ length: 120 }, (_, i) => `metrics.m${i}`)
    expect(chunked([{ agg: 'avg', metrics }]).map((q) => q.metrics.length)).toEqual([50, 50, 20])
  })
})

describe('slopePerHour', () => {
  it('fits a line through whole buckets since a moment', () => {
    const points = Array.from({ length: 10 }, (_, i) => p(i * 6, 100 + i))
    expect(slopePerHour([p(-60, 900), ...points, part(60, 0)], 0)).toEqual({
      slope: expect.closeTo(10),
      hours: 0.9,
    })
    expect(slopePerHour([p(0, 1), gap(1), p(2, 2)], 0)).toBeNull()
  })
})
