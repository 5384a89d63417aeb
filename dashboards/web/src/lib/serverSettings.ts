import type { GameServer, ServerSettings } from '@/api/types'

/** What people say of a server, as a form has it: tags and groups one a line. */
export interface SettingsForm {
  name: string
  tags: string
  groups: string
  notes: string
  interval: string
}

export type SettingsFaults = Partial<Record<keyof SettingsForm | 'id', string>>

export const emptySettings: SettingsForm = { name: '', tags: '', groups: '', notes: '', interval: '' }

// The API's bounds, so that a form says at once what the server would refuse.
const most = { name: 200, notes: 4000, tags: 50, groups: 50, tagValue: 128, groupName: 64, interval: 86_400 }
const tagKey = /^[A-Za-z0-9_.-]{1,64}$/
const serverId = /^[A-Za-z0-9_-]{1,64}$/
const reserved = ['reply', 'host', 'stats', 'events']

export function formOf(server: GameServer): SettingsForm {
  return {
    name: server.name,
    tags: Object.entries(server.tags)
      .map(([key, value]) => `${key}:${value}`)
      .join('\n'),
    groups: server.groups.join('\n'),
    notes: server.notes,
    interval: server.expected_interval_s === null ? '' : String(server.expected_interval_s),
  }
}

const linesOf = (text: string): string[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean)

/** What a form says in the API's words, with what is wrong by field; nothing may be sent while something is. */
export function settingsOf(form: SettingsForm): { settings: ServerSettings; faults: SettingsFaults } {
  const faults: SettingsFaults = {}
  const settings: ServerSettings = {
    name: form.name.trim(),
    notes: form.notes.trim(),
    tags: tagsOf(form.tags, faults),
    groups: groupsOf(form.groups, faults),
  }
  if (settings.name && [...settings.name].length > most.name) faults.name = `At most ${most.name} characters.`
  if (settings.notes && [...settings.notes].length > most.notes)
    faults.notes = `At most ${most.notes} characters.`
  const interval = form.interval.trim()
  if (interval !== '') {
    settings.expected_interval_s = Number(interval)
    if (!/^\d+$/.test(interval) || Number(interval) < 1 || Number(interval) > most.interval)
      faults.interval = `Whole seconds from 1 to ${most.interval}, or nothing.`
  }
  return { settings, faults }
}

function tagsOf(text: string, faults: SettingsFaults): Record<string, string> {
  const tags: Record<string, string> = {}
  for (const line of linesOf(text)) {
    const at = line.indexOf(':')
    const [key, value] = [line.slice(0, at).trim(), line.slice(at + 1).trim()]
    if (at < 1 || !tagKey.test(key)) {
      faults.tags ??= `“${line}” is no tag: write key:value, the key of letters, digits, dots, dashes and underscores.`
    } else if (value === '' || [...value].length > most.tagValue) {
      faults.tags ??= `The value of “${key}” needs 1 to ${most.tagValue} characters.`
    } else if (Object.hasOwn(tags, key)) {
      faults.tags ??= `“${key}” stands there twice: a tag has one value.`
    }
    tags[key] = value
  }
  if (Object.keys(tags).length > most.tags) faults.tags ??= `At most ${most.tags} tags.`
  return tags
}

function groupsOf(text: string, faults: SettingsFaults): string[] {
  const groups = [...new Set(linesOf(text))]
  const long = groups.find((g) => [...g].length > most.groupName)
  if (long) faults.groups = `“${long.slice(0, 20)}…” is longer than ${most.groupName} characters.`
  else if (groups.length > most.groups) faults.groups = `At most ${most.groups} groups.`
  return groups
}

/** Why a server cannot have an id; empty when it can. */
export function idFault(id: string): string {
  if (!serverId.test(id)) return 'One to 64 letters, digits, dashes and underscores.'
  return reserved.includes(id) ? `“${id}” is a word of the protocol: choose another.` : ''
}
