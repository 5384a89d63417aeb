/** The names that the pages use for what `types.ts` generates from docs/openapi.json. */
import type { components, operations } from './types'

type Schemas = components['schemas']

/** The API may add fields to an answer; the pages may only use those that the document names. */
type Known<T> = T extends (infer U)[]
  ? Known<U>[]
  : T extends object
    ? keyof Named<T> extends never
      ? T
      : Named<T>
    : T
type Named<T> = { [K in keyof T as string extends K ? never : number extends K ? never : K]: Known<T[K]> }

type TimeseriesParams = NonNullable<operations['timeseries']['parameters']['query']>

/** How the samples of a bucket become one value. */
export type Agg = NonNullable<TimeseriesParams['agg']>
export type Fill = NonNullable<TimeseriesParams['fill']>

/** The figures of one range; what was not measured is null. Times are RFC 3339 UTC. */
export type Summary = Known<Schemas['Summary']>
/** Columns ready for a chart: every series has one value for each timestamp. */
export type Timeseries = Known<Schemas['Timeseries']>
/** One line: a metric under one aggregation; a bucket without data is null. */
export type Series = Timeseries['series'][number]

export type ServerList = Known<Schemas['List']>
export type GameServer = Known<Schemas['Server']>
export type Mark = Known<Schemas['Mark']>
export type MarkList = Known<Schemas['MarkList']>
export type MarkKind = Mark['kind']

export type LiveTotals = Known<Schemas['Totals']>
export type LiveServer = Known<Schemas['LiveServer']>
export type LiveServers = Known<Schemas['LiveServers']>
export type LiveSnapshot = Known<Schemas['LiveSnapshot']>

export type ExportJob = Known<Schemas['ExportJob']>
export type ExportJobs = Known<Schemas['ExportJobs']>
export type ExportJobInput = Known<Schemas['ExportJobInputBody']>

export type Tokens = Known<Schemas['TokensBody']>
export type Me = Known<Schemas['MeBody']>
export type Membership = Me['memberships'][number]
export type Accepted = Known<Schemas['AcceptedBody']>
export type SignInSession = Known<Schemas['SessionBody']>
export type Enrolled = Known<Schemas['EnrolledBody']>
export type RecoveryCodes = Known<Schemas['RecoveryCodesBody']>
export type Role = NonNullable<Me['role']>

/** An error answer, RFC 9457. */
export interface Problem {
  type?: string
  title?: string
  status?: number
  /** Which problem it is, for programs. */
  code?: string
  detail?: string
  errors?: { location?: string; message?: string; value?: unknown }[]
}
