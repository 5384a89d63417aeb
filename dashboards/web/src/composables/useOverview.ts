import type { Ref } from 'vue'
import type { Reader } from '@/api/reader'
import type { Mark, Summary, Timeseries } from '@/api/types'
import { allCharts, queriesFor } from '@/lib/charts'
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
    ...askCharts(reader, params, stepFor(range), signal),
  ])
  return { range, summary, now, answers, marks: marks.events, before }
}

function askCharts(
  reader: Reader,
  range: Record<string, string>,
  step: string | undefined,
  signal: AbortSignal,
) {
  const width = step === undefined ? {} : { step }
  return queriesFor(allCharts).map((q) => reader.timeseries({ ...q, range, ...width }, signal))
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
    ...askCharts(reader, params, stepFor(range), signal),
  ])
  return { ms, summary, answers }
}

/** The overview of a range, kept fresh. */
export function useOverview(range: Ref<TimeRange>, compare: Ref<Comparison>) {
  const { reader, subject } = useSession()
  return usePolling<Overview>(() => {
    const [source, asked, against] = [reader.value, range.value, compare.value]
    return {
      key: `${rangeKey(asked)} ${against}`,
      subject: subject.value,
      load: (signal) => loadOverview(source, asked, against, signal),
    }
  })
}
