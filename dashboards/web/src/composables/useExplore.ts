import { computed } from 'vue'
import { useRoute, useRouter } from 'vue-router'
import type { TimeseriesQuery } from '@/api/reader'
import type { Timeseries } from '@/api/types'
import { firstQuery, mostQueries, parseQueries, parseStep, queryText, type ExploreQuery } from '@/lib/explore'
import { rangeKey, rangeParams, type TimeRange } from '@/lib/interval'
import { omit } from '@/lib/omit'
import { useSession } from '@/session'
import { usePolling } from './usePolling'
import { useRange } from './useRange'

/** What the explore page asks; the URL holds all of it, so that a link is the whole state. */
export function useExploreState() {
  const route = useRoute()
  const router = useRouter()
  const { range, setRange } = useRange()
  const queries = computed(() => parseQueries(route.query['q']))
  const step = computed(() => parseStep(route.query['step']))

  const put = (more: Record<string, string | string[]>) =>
    void router.push({ query: { ...route.query, ...more } })
  function setQuery(index: number, query: ExploreQuery): void {
    put({ q: queries.value.map((q, i) => queryText(i === index ? query : q)) })
  }
  function addQuery(): void {
    if (queries.value.length < mostQueries) put({ q: [...queries.value, firstQuery].map(queryText) })
  }
  function removeQuery(index: number): void {
    put({ q: queries.value.filter((_, i) => i !== index).map(queryText) })
  }
  function setStep(next: string): void {
    const rest = omit(route.query, 'step')
    void router.push({ query: next ? { ...rest, step: next } : rest })
  }
  return { range, setRange, queries, step, setQuery, addQuery, removeQuery, setStep }
}

/** The answers to the queries of one range, in their order. */
export interface ExploreData {
  range: TimeRange
  queries: ExploreQuery[]
  answers: Timeseries[]
}

function ask(
  { metric, agg, groupBy, servers }: ExploreQuery,
  range: TimeRange,
  step: string,
): TimeseriesQuery {
  return {
    range: rangeParams(range),
    metrics: [metric],
    agg,
    ...(step ? { step } : {}),
    ...(groupBy ? { group_by: groupBy } : {}),
    ...(servers.length > 0 ? { server_id: servers } : {}),
  }
}

export function useExploreData({ range, queries, step }: ReturnType<typeof useExploreState>) {
  const { reader, subject } = useSession()
  return usePolling<ExploreData>(() => {
    const [source, asked, wanted, width] = [reader.value, range.value, queries.value, step.value]
    return {
      key: [rangeKey(asked), width, ...wanted.map(queryText)].join(' '),
      subject: subject.value,
      load: async (signal) => ({
        range: asked,
        queries: wanted,
        answers: await Promise.all(wanted.map((q) => source.timeseries(ask(q, asked, width), signal))),
      }),
    }
  }, 30_000)
}
