/**
 * The answers of the API under the names that the pages use. Everything comes from `schema.ts`, which
 * `make generate` writes from the server's OpenAPI document: no answer is described by hand.
 */
import type { components } from './schema'

type Schemas = components['schemas']

/** The figures of one range; what was not measured is null. Times are RFC 3339 UTC. */
export type Summary = Schemas['Summary']

/** Which rows an answer was read from. */
export type Source = Summary['source']

/** Mean and largest value over all samples. */
export type AvgMax = Schemas['SummaryAvgMax']

/** Columns ready for a chart: every series has one value for each timestamp. */
export type Timeseries = Schemas['Timeseries']

/** One line: a metric under one aggregation; a bucket without data is null. */
export type Series = Schemas['Series']

/** How the samples of a bucket become one value. */
export type Agg = Series['agg']

/** An error answer, RFC 9457; what a proxy in between wrote may have less. */
export type Problem = Partial<Schemas['Problem']>
