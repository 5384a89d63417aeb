import { faultsWithin } from '@/api/error'
import type { SettingsFaults } from './serverSettings'

/** What the server refuses of a form, by field; what the form itself found comes first. */
export function allFaults(own: SettingsFaults, error: unknown): SettingsFaults {
  const theirs = {
    id: faultsWithin(error, 'server_id'),
    name: faultsWithin(error, 'name'),
    tags: faultsWithin(error, 'tags'),
    groups: faultsWithin(error, 'groups'),
    notes: faultsWithin(error, 'notes'),
    interval: faultsWithin(error, 'expected_interval_s'),
  }
  return { ...theirs, ...own }
}
