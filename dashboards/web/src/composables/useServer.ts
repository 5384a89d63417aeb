import type { Ref } from 'vue'
import type { Reader } from '@/api/reader'
import type { GameServer, Mark, MetricName, Summary, Timeseries } from '@/api/types'
import { queriesFor } from '@/lib/charts'
import { rangeKey, rangeParams, stepFor, type TimeRange } from '@/lib/interval'
import { chunked, serverCharts } from '@/lib/serverCharts'
import { useSession } from '@/session'
import { usePolling } from './usePolling'

/** All that the page of a server shows, read together. */
export interface ServerView {
  range: TimeRange
  server: GameServer
  summary: Summary
  metrics: MetricName[]
  marks: Mark[]
  answers: Timeseries[]
}

async function loadServer(
  reader: Reader,
  id: string,
  range: TimeRange,
  signal: AbortSignal,
): Promise<ServerView> {
  const params = rangeParams(range)
  const only = { server_id: [id] }
  const step = stepFor(range)
  const [server, summary, marks, names] = await Promise.all([
    reader.server(id, signal),
    reader.summary(params, signal, only),
    reader.marks({ range: params, limit: '500', ...only }, signal),
    reader.metrics(params, signal, only),
  ])
  const { fields, custom } = serverCharts(names.metrics)
  const queries = chunked(queriesFor([...fields, ...custom]))
  const answers = await Promise.all(
    queries.map((q) =>
      reader.timeseries({ ...q, ...only, range: params, ...(step ? { step } : {}) }, signal),
    ),
  )
  return { range, server, summary, metrics: names.metrics, marks: marks.events, answers }
}

/** One server over a range, kept fresh. */
export function useServer(id: Ref<string>, range: Ref<TimeRange>) {
  const { reader, subject } = useSession()
  return usePolling<ServerView>(() => {
    const [source, server, asked] = [reader.value, id.value, range.value]
    return {
      key: rangeKey(asked),
      subject: `${subject.value} ${server}`,
      load: (signal) => loadServer(source, server, asked, signal),
    }
  })
}
