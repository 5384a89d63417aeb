import { computed, type Ref } from 'vue'
import type { Client } from '@/api/client'
import type { Summary, Timeseries } from '@/api/types'
import { allCharts, queriesFor } from '@/lib/charts'
import { rangeKey, rangeParams, stepFor, type TimeRange } from '@/lib/interval'
import { useCredentials } from './useCredentials'
import { usePolling } from './usePolling'

/** All that the overview shows, read together so that its figures belong together. */
export interface Overview {
  range: TimeRange
  summary: Summary
  /** The last five minutes: which servers report now. */
  now: Summary
  answers: Timeseries[]
}

// A server counts as online by the same five minutes that the API uses for the players of now.
const onlineWindow = { range: '5m' }

async function loadOverview(client: Client, range: TimeRange, signal: AbortSignal): Promise<Overview> {
  const params = rangeParams(range)
  const step = stepFor(range)
  const [summary, now, ...answers] = await Promise.all([
    client.summary(params, signal),
    client.summary(onlineWindow, signal),
    ...queriesFor(allCharts).map((q) => client.timeseries({ ...q, range: params, step }, signal)),
  ])
  return { range, summary, now, answers }
}

/** The overview of a range, kept fresh. */
export function useOverview(range: Ref<TimeRange>) {
  const { client, credentials } = useCredentials()
  const subject = computed(() => (credentials.value.kind === 'demo' ? 'demo' : credentials.value.token))
  return usePolling<Overview>(() => {
    const [reader, asked] = [client.value, range.value]
    return {
      key: rangeKey(asked),
      subject: subject.value,
      load: (signal) => loadOverview(reader, asked, signal),
    }
  })
}
