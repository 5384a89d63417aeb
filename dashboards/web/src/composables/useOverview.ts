import { computed, shallowRef, type Ref } from 'vue'
import type { Reader } from '@/api/reader'
import type { Mark, Summary, Timeseries } from '@/api/types'
import { allCharts, playersChart, queriesFor, type ChartSpec } from '@/lib/charts'
import {
  comparisons,
  paramsBefore,
  rangeKey,
  rangeParams,
  stepFor,
  type Comparison,
  type TimeRange,
} from '@/lib/interval'
import { useSession } from '@/session'
import { usePolling } from './usePolling'

/** The same charts of an earlier time. */
export interface Before {
  /** How much earlier, ms. */
  ms: number
  summary: Summary
  answers: Timeseries[]
}

/** All that the overview shows, read together so that its figures belong together. */
export interface Overview {
  range: TimeRange
  summary: Summary
  /** The last five minutes: which servers report now. */
  now: Summary
  answers: Timeseries[]
  marks: Mark[]
  /** Null where nothing is compared. */
  before: Before | null
}

// A server counts as online by the same five minutes that the API uses for the players of now.
const onlineWindow = { range: '5m' }
const mostMarks = '500'

async function loadOverview(
  reader: Reader,
  range: TimeRange,
  compare: Comparison,
  signal: AbortSignal,
): Promise<Overview> {
  const params = rangeParams(range)
  const [summary, now, marks, before, ...answers] = await Promise.all([
    reader.summary(params, signal),
    reader.summary(onlineWindow, signal),
    reader.marks({ range: params, limit: mostMarks }, signal),
    loadBefore(reader, range, comparisons[compare], signal),
    ...askCharts(reader, allCharts, range, params, signal),
  ])
  return { range, summary, now, answers, marks: marks.events, before }
}

function askCharts(
  reader: Reader,
  charts: readonly ChartSpec[],
  shown: TimeRange,
  range: Record<string, string>,
  signal: AbortSignal,
) {
  const step = stepFor(shown)
  const width = step === undefined ? {} : { step }
  return queriesFor(charts).map((q) => reader.timeseries({ ...q, range, ...width }, signal))
}

async function loadBefore(
  reader: Reader,
  range: TimeRange,
  ms: number,
  signal: AbortSignal,
): Promise<Before | null> {
  if (ms === 0) return null
  const params = paramsBefore(range, ms, Date.now())
  const [summary, ...answers] = await Promise.all([
    reader.summary(params, signal),
    ...askCharts(reader, allCharts, range, params, signal),
  ])
  return { ms, summary, answers }
}

/**
 * The overview of a range, kept fresh. `first` is the answer for the players' chart while nothing else is there: it is
 * asked alone, so that the chart does not wait for a dozen statements beside it.
 */
export function useOverview(range: Ref<TimeRange>, compare: Ref<Comparison>) {
  const { reader, subject } = useSession()
  const head = shallowRef<{ of: string; answers: Timeseries[] }>()
  const asked = computed(() => `${subject.value} ${rangeKey(range.value)}`)

  async function loadHead(source: Reader, shown: TimeRange, of: string, signal: AbortSignal) {
    const answers = await Promise.all(askCharts(source, [playersChart], shown, rangeParams(shown), signal))
    if (!signal.aborted) head.value = { of, answers }
  }
  const { state, retry } = usePolling<Overview>(() => {
    const [source, shown, against, of] = [reader.value, range.value, compare.value, asked.value]
    return {
      key: `${rangeKey(shown)} ${against}`,
      subject: subject.value,
      load: async (signal) => {
        if (state.data === null && head.value?.of !== of) await loadHead(source, shown, of, signal)
        return loadOverview(source, shown, against, signal)
      },
    }
  })
  const first = computed(() =>
    state.data === null && !state.error && head.value?.of === asked.value ? head.value.answers : null,
  )
  return { state, retry, first }
}
