import { describe, expect, it } from 'vitest'
import { asCurl, asGrafana, asSql, withoutSql, type Question } from '@/lib/copyAs'
import { chartCsv } from '@/lib/csv'
import { findMetrics, firstQuery, panelsOf, parseQueries, parseStep, queryText } from '@/lib/explore'
import { changeOf, formatBytes, formatChange, formatValue, kindOf } from '@/lib/format'
import { comparisons, paramsBefore, parseComparison, toLocalField, fromLocalField } from '@/lib/interval'
import { licenseOf } from '@/lib/license'
import { answer, gap, lineOf, p, part } from './build'

describe('the URL of explore', () => {
  it('holds every part of a query', () => {
    const queries = [
      { metric: 'players', agg: 'avg', groupBy: '', servers: [] },
      { metric: 'metrics.a/b.c:d-e_f', agg: 'p95', groupBy: 'tag:region', servers: ['eu-1', 'eu_2'] },
    ] as const
    const texts = queries.map((q) => queryText({ ...q, servers: [...q.servers] }))
    expect(texts).toEqual(['players~avg', 'metrics.a/b.c:d-e_f~p95~tag:region~eu-1,eu_2'])
    expect(parseQueries(texts)).toEqual(queries)
  })

  it('leaves out what cannot be a query', () => {
    expect(parseQueries(['x y~avg', 'fps~median', 'fps~avg~everything', 42])).toEqual([firstQuery])
    expect(parseQueries(undefined)).toEqual([firstQuery])
    expect(parseQueries('fps~min')).toEqual([{ metric: 'fps', agg: 'min', groupBy: '', servers: [] }])
    expect(['5m', '1d', '5', 'm', '1; DROP'].map(parseStep)).toEqual(['5m', '1d', '', '', ''])
  })
})

describe('panels', () => {
  const series = (metric: string, unit: string, n: number) =>
    answer({
      series: Array.from({ length: n }, (_, i) => ({
        metric,
        agg: 'avg',
        unit,
        server_id: n > 1 ? `s${i}` : null,
        values: [i, i],
      })) as never,
    })
  const query = (metric: string, groupBy = '') => ({ metric, agg: 'avg', groupBy, servers: [] }) as const

  it('are one a unit, with lines that can be told apart', () => {
    const queries = [query('players'), query('fps'), query('queued')].map((q) => ({ ...q, servers: [] }))
    const panels = panelsOf(queries, [
      series('players', 'persons', 1),
      series('fps', 'frames/s', 1),
      series('queued', 'persons', 1),
    ])
    expect(panels.map((x) => [x.spec.title, x.spec.kind, x.lines.map((l) => l.tone)])).toEqual([
      ['players, queued', 'count', ['main', 'second']],
      ['fps', 'fps', ['main']],
    ])
  })

  it('keep the highest lines and say how many they leave out', () => {
    const [panel] = panelsOf(
      [{ ...query('players', 'server'), servers: [] }],
      [series('players', 'persons', 25)],
    )
    expect(panel?.lines.length).toBe(20)
    expect(panel?.hidden).toBe(5)
    expect(panel?.lines[0]?.label).toBe('s5: players avg')
  })

  it('find metrics by a part of their name', () => {
    const of = (metric: string) => ({ metric, custom: metric.startsWith('metrics.'), unit: '', servers: 1 })
    const found = findMetrics(['max_players', 'metrics.players_vip', 'players'].map(of), 'play', 10)
    expect(found.map((m) => m.metric)).toEqual(['players', 'metrics.players_vip', 'max_players'])
  })
})

describe('copy as', () => {
  const question = (over: Partial<Question['query']> = {}): Question => ({
    query: { metric: 'players', agg: 'avg', groupBy: '', servers: [], ...over },
    range: { range: '24h' },
    from: '2026-11-23T00:00:00Z',
    to: '2026-11-24T00:00:00Z',
    step: '5m0s',
    license: 'L',
    origin: 'http://localhost:8080',
    open: false,
  })

  it('is a command that holds no token', () => {
    expect(asCurl(question({ servers: ["a'b"] }))).toBe(
      `curl --fail-with-body --compressed --get 'http://localhost:8080/api/analytics/timeseries' \\
  --header "Authorization: Bearer $TOKEN" \\
  --data-urlencode 'range=24h' \\
  --data-urlencode 'metric=players' \\
  --data-urlencode 'agg=avg' \\
  --data-urlencode 'step=5m0s' \\
  --data-urlencode 'server_id=a'\\''b'`,
    )
    expect(asCurl({ ...question(), open: true })).not.toContain('TOKEN')
  })

  it('is SQL that sums minutes where the API does', () => {
    const sql = asSql(question())
    expect(sql).toContain('avg(total) AS value')
    expect(sql).toContain('toStartOfMinute(ts) AS slot, avg(players) AS mean')
    expect(sql).toContain(
      "ts >= fromUnixTimestamp64Milli(1763856000000, 'UTC')".replace(
        '1763856000000',
        String(Date.UTC(2026, 10, 23)),
      ),
    )
    expect(asSql(question({ agg: 'sum' }))).toContain('sum(players) AS value')
    expect(asSql(question({ agg: 'last' }))).toContain('sum(last) AS value')
    expect(asSql(question({ metric: 'fps', agg: 'p05', groupBy: 'server' }))).toContain(
      'server_id, quantileExactInclusive(0.05)(fps) AS value',
    )
    expect(asSql(question({ metric: "metrics.a'b" }))).toContain("mapContains(metrics, 'a\\'b')")
  })

  it('is a target of Grafana, with its macros', () => {
    const target = JSON.parse(asGrafana(question({ metric: 'fps' }))) as { rawSql: string }
    expect(target.rawSql).toContain('$__timeInterval(ts) AS time')
    expect(target.rawSql).toContain('$__timeFilter(ts)')
  })

  it('says when there is no SQL', () => {
    expect(withoutSql(question({ groupBy: 'tag:region' }).query)).not.toBe('')
    expect(withoutSql(question().query)).toBe('')
  })
})

describe('small things', () => {
  it('writes what a chart shows as CSV', () => {
    const line = { ...lineOf(p(0, 1.5), gap(1), part(2, 3)), label: '=Average, all' }
    expect(chartCsv([line])).toBe(
      'time,"fps avg (=Average, all)",partial\r\n1970-01-01T00:00:00.000Z,1.5,false\r\n1970-01-01T00:01:00.000Z,,false\r\n1970-01-01T00:02:00.000Z,3,true\r\n',
    )
  })

  it('compares with an earlier time of the same length', () => {
    expect(parseComparison('week')).toBe('week')
    expect(parseComparison('year')).toBe('none')
    const hour = 3_600_000
    expect(paramsBefore({ kind: 'preset', preset: '24h' }, comparisons.day, 100 * hour)).toEqual({
      from: String(52 * hour),
      to: String(76 * hour),
    })
    expect(paramsBefore({ kind: 'window', from: 30 * hour, to: 40 * hour }, comparisons.day, 0)).toEqual({
      from: String(6 * hour),
      to: String(16 * hour),
    })
    expect(fromLocalField(toLocalField(1_700_000_040_000))).toBe(1_700_000_040_000)
  })

  it('says changes and sizes in words', () => {
    const place = { locale: 'en-GB' }
    expect([changeOf(11, 10), changeOf(1, 0), changeOf(null, 1)]).toEqual([10, null, null])
    expect([10, -0.51, 0.01].map((x) => formatChange(x, place))).toEqual([
      '+10.0\u00a0%',
      '−0.5\u00a0%',
      '±0.0\u00a0%',
    ])
    expect(formatBytes(1_234_000, place)).toBe('1.23\u00a0MB')
    expect(formatValue('seconds', 90_000, place)).toBe('25.0\u00a0h')
    expect(formatValue(kindOf('frames/s'), 59.94, place)).toBe('59.9\u00a0fps')
    expect(formatValue(kindOf('whatever'), 0.123456789, place)).toBe('0.123457')
  })

  it('reads the license of a token', () => {
    const token = `x.${btoa(JSON.stringify({ license_id: 'L' }))}.y`
    expect(licenseOf({ kind: 'token', token, id: 1 })).toBe('L')
    expect(licenseOf({ kind: 'token', token: 'rubbish', id: 1 })).toBe('')
    expect(licenseOf({ kind: 'visitor' })).toMatch(/d340$/)
  })
})
