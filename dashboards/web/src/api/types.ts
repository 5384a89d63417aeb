/**
 * The answers of the API under the names that the pages use. Everything comes from `schema.ts`, which
 * `make generate` writes from the server's OpenAPI document: no answer is described by hand.
 */
import type { components, operations } from './schema'

type Schemas = components['schemas']

type TimeseriesParams = NonNullable<operations['timeseries']['parameters']['query']>

/** How the samples of a bucket become one value. */
export type Agg = NonNullable<TimeseriesParams['agg']>
export type Fill = NonNullable<TimeseriesParams['fill']>

/** The figures of one range; what was not measured is null. Times are RFC 3339 UTC. */
export type Summary = Schemas['Summary']
/** Columns ready for a chart: every series has one value for each timestamp. */
export type Timeseries = Schemas['Timeseries']
/** One line: a metric under one aggregation; a bucket without data is null. */
export type Series = Timeseries['series'][number]

export type ServerList = Schemas['List']
export type GameServer = Schemas['Server']
export type MetricNames = Schemas['MetricNames']
export type MetricName = Schemas['MetricName']
export type Mark = Schemas['Mark']
export type MarkList = Schemas['MarkList']
export type MarkKind = Mark['kind']

/** A network's figures now, over its servers that are online; what none of them measured is null. */
export type LiveTotals = Pick<Schemas['Totals'], 'at' | 'servers' | 'complete' | 'stale_since'> & {
  players: Pick<Schemas['Persons'], 'current' | 'capacity'>
}
export type LiveServer = Schemas['LiveServer']
export type LiveServers = Schemas['LiveServers']
export type LiveSnapshot = Schemas['LiveSnapshot']

export type ExportJob = Schemas['ExportJob']
export type ExportJobs = Schemas['ExportJobs']
export type ExportJobInput = Schemas['ExportJobInputBody']

export type Tokens = Schemas['TokensBody']
export type Me = Schemas['MeBody']
export type Membership = Me['memberships'][number]
export type Accepted = Schemas['AcceptedBody']
export type SignInSession = Schemas['SessionBody']
export type Enrolled = Schemas['EnrolledBody']
export type RecoveryCodes = Schemas['RecoveryCodesBody']
export type Role = NonNullable<Me['role']>

/** An error answer, RFC 9457; what a proxy in between wrote may have less. */
export type Problem = Partial<Schemas['Problem']>

export type EarlyAccess = Schemas['EarlyAccessBody']
export type Challenge = Schemas['ChallengeBody']
export type Work = Schemas['WorkBody']
export type Joined = Schemas['JoinedBody']
export type Claimed = Schemas['ClaimedBody']
export type EarlyConfirmed = Schemas['ConfirmedBody']
export type Roadmap = Schemas['RoadmapBody']
export type RoadmapItem = Schemas['RoadmapItem']
export type Milestone = Schemas['RoadmapMilestone']
export type Counted = Schemas['CountedBody']

export type License = Schemas['LicenseBody']
export type MadeLicense = Schemas['MadeLicenseBody']
export type Member = Schemas['MemberBody']
export type Withdrawn = Schemas['WithdrawnBody']
export type Invitation = Schemas['InvitationBody']
export type MadeInvitation = Schemas['MadeInvitationBody']
/** What the link of an invitation is good for. */
export type Invited = Schemas['InvitedBody']
export type ApiKey = Schemas['KeyBody']
export type MadeApiKey = Schemas['MadeKeyBody']
export type ServerSettings = Schemas['ServerSettings']
export type StoredTable = Schemas['StoredTable']
export type AuditPage = Schemas['AuditPage']
export type AuditEntry = Schemas['Entry']
