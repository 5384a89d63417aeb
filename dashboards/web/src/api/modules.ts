/** The answers about modules, under the names that the pages use. */
import type { components } from './schema'

type Schemas = components['schemas']

export type Module = Schemas['Module']
export type ModuleVersion = Schemas['Version']
export type CataloguePage = Schemas['CataloguePage']
export type Purchase = Schemas['Purchase']
export type PurchasePage = Schemas['History']
export type Receipt = Schemas['Receipt']
export type Installation = Schemas['InstallationView']
export type InstallationPage = Schemas['InstallationList']
/** One installation with its history. */
export type InstallationDetails = Schemas['InstallationDetails']
/** What the live stream tells of an installation. */
export type Transition = Schemas['Transition']
export type Rollout = Schemas['RolloutView']
export type RolloutInput = Schemas['RolloutInputBody']
export type RolloutServer = Schemas['RolloutServer']
export type Agent = Schemas['AgentView']
export type AgentCredentials = Schemas['Credentials']
