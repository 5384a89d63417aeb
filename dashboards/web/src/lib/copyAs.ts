/** What the explore page shows in other tools' words: a command, a query of ClickHouse, a panel of Grafana. Pure. */
import type { ExploreQuery } from './explore'
import { parseGoDuration } from './interval'

export interface Question {
  query: ExploreQuery
  /** `range`, or `from` and `to`, as the API takes them. */
  range: Record<string, string>
  /** The effective range and step, as the API answered. */
  from: string
  to: string
  step: string
  /** The license whose samples are meant. */
  license: string
  /** The address of this server. */
  origin: string
  /** The demo network needs no token. */
  open: boolean
}

const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`

/** A command that prints the same answer; the token comes from the environment and never stands in the command. */
export function asCurl({ query, range, step, origin, open }: Question): string {
  const data: [string, string][] = [...Object.entries(range), ['metric', query.metric], ['agg', query.agg]]
  if (step) data.push(['step', step])
  if (query.groupBy) data.push(['group_by', query.groupBy])
  for (const server of query.servers) data.push(['server_id', server])
  const path = open ? '/api/public/demo/timeseries' : '/api/analytics/timeseries'
  const token = open ? [] : [`--header "Authorization: Bearer $TOKEN"`]
  const words = data.map(([name, value]) => `--data-urlencode ${quoted(`${name}=${value}`)}`)
  return [`curl --fail-with-body --compressed --get ${quoted(origin + path)}`, ...token, ...words].join(
    ' \\\n  ',
  )
}

const additive = new Set([
  'players',
  'max_players',
  'queued',
  'joining',
  'sleepers',
  'entities',
  'net_in',
  'net_out',
])
const sqlText = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`

/** The value of a metric in a row of corrosion.samples: a column, or an entry of the map of custom metrics. */
function valueOf(metric: string): string {
  if (!metric.startsWith('metrics.')) return metric
  const name = sqlText(metric.slice('metrics.'.length))
  return `if(mapContains(metrics, ${name}), metrics[${name}], NULL)`
}

function aggregate(agg: ExploreQuery['agg'], value: string): string {
  if (agg === 'last') return `argMax(${value}, (ts, seq, idx))`
  if (/^p\d\d$/.test(agg)) return `quantileExactInclusive(0.${agg.slice(1)})(${value})`
  return `${agg}(${value})`
}

/** Why there is no SQL for a query; empty when there is. */
export function withoutSql({ groupBy }: ExploreQuery): string {
  return groupBy === '' || groupBy === 'server'
    ? ''
    : 'Tags and groups are not in ClickHouse: name the servers, or use the API.'
}

interface Places {
  /** The condition on ts. */
  within: string
  license: string
  /** The start of the bucket of an expression. */
  bucket: (time: string) => string
  column: string
}

/** The query as one for ClickHouse that reads single samples; additive metrics are totals of minutes, as in the API. */
function select({ query, step }: Question, at: Places): string {
  const { metric, agg, groupBy, servers } = query
  const value = valueOf(metric)
  const chosen = servers.length > 0 ? ` AND server_id IN (${servers.map(sqlText).join(', ')})` : ''
  const where = `license_id = ${at.license} AND ${at.within}${chosen}`
  const total = groupBy === '' && additive.has(metric) && agg !== 'sum' && agg !== 'count'
  if (total && agg === 'last') {
    return [
      `SELECT ${at.column}, sum(last) AS value`,
      `FROM (SELECT server_id, ${at.bucket('ts')} AS ${at.column}, ${aggregate('last', value)} AS last`,
      `      FROM corrosion.samples WHERE ${where} GROUP BY server_id, ${at.column})`,
      `GROUP BY ${at.column} ORDER BY ${at.column}`,
    ].join('\n')
  }
  if (total) {
    const slot = parseGoDuration(step) < 60_000 ? at.bucket('ts') : 'toStartOfMinute(ts)'
    return [
      `SELECT ${at.bucket('slot')} AS ${at.column}, ${aggregate(agg, 'total')} AS value`,
      `FROM (SELECT slot, sum(mean) AS total`,
      `      FROM (SELECT server_id, ${slot} AS slot, avg(${value}) AS mean`,
      `            FROM corrosion.samples WHERE ${where} GROUP BY server_id, slot)`,
      `      GROUP BY slot)`,
      `GROUP BY ${at.column} ORDER BY ${at.column}`,
    ].join('\n')
  }
  const split = groupBy === 'server' ? ', server_id' : ''
  return [
    `SELECT ${at.bucket('ts')} AS ${at.column}${split}, ${aggregate(agg, value)} AS value`,
    `FROM corrosion.samples WHERE ${where}`,
    `GROUP BY ${at.column}${split} ORDER BY ${at.column}${split}`,
  ].join('\n')
}

const seconds = (step: string) => Math.max(1, Math.round(parseGoDuration(step) / 1000))

/** SQL for the operator's ClickHouse, over exactly the range that is shown. */
export function asSql(question: Question): string {
  const moment = (t: string) => `fromUnixTimestamp64Milli(${Date.parse(t)}, 'UTC')`
  const note =
    '-- Single samples are kept for some days; for what is older see corrosion.hourly and docs/cookbook.md.\n'
  return (
    note +
    select(question, {
      within: `ts >= ${moment(question.from)} AND ts < ${moment(question.to)}`,
      license: sqlText(question.license),
      bucket: (time) => `toStartOfInterval(${time}, INTERVAL ${seconds(question.step)} SECOND)`,
      column: 't',
    })
  )
}

/** A target of a Grafana panel on the ClickHouse data source; Grafana's own range and interval take over. */
export function asGrafana(question: Question): string {
  const sql = select(question, {
    within: '$__timeFilter(ts)',
    license: sqlText(question.license),
    bucket: (time) => `$__timeInterval(${time})`,
    column: 'time',
  })
  const target = {
    datasource: { type: 'grafana-clickhouse-datasource', uid: 'corrosion-clickhouse' },
    editorType: 'sql',
    format: 0,
    pluginVersion: '4.0.0',
    queryType: 'timeseries',
    rawSql: sql,
    refId: 'A',
  }
  return JSON.stringify(target, null, 2)
}
