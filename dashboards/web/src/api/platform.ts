/** The answers about ingest and to platform administrators, under the names that the pages use. */
import type { components } from './schema'

type Schemas = components['schemas']

export type IngestBody = Schemas['IngestBody']
export type IngestOutcome = Schemas['IngestOutcome']
export type IngestHealth = Schemas['IngestHealth']
export type LicenseIngest = Schemas['LicenseIngest']
export type StreamHealth = Schemas['StreamHealth']
export type DeadLetter = Schemas['DeadLetter']
export type DeadChosen = Schemas['DeadChosen']

export type PlatformLicense = Schemas['License']
export type LicenseDetails = Schemas['LicenseDetails']
export type Quotas = Schemas['Quotas']
export type Job = Schemas['Job']
export type JobRun = Schemas['JobRun']
export type JobRequest = Schemas['JobRequest']
export type Kept = Schemas['Kept']
export type Loss = Schemas['Loss']
export type Signup = Schemas['SignupBody']
export type SignupList = Schemas['SignupList']
export type Segment = Signup['segment']
