import type { Installation, Module, Purchase, Rollout, RolloutServer, Transition } from '@/api/modules'
import type { Place } from './format'

/** A price as people read it; what costs nothing is free. The amount is the API's decimal string. */
export function formatPrice(amount: string, currency: string, place: Place = {}): string {
  if (isFree(amount)) return 'Free'
  try {
    return new Intl.NumberFormat(place.locale, { style: 'currency', currency }).format(Number(amount))
  } catch {
    // Of a currency that this browser does not know.
    return `${amount} ${currency}`
  }
}

export const isFree = (amount: string): boolean => Number(amount) === 0

/** Which prices are shown. */
export type PriceBand = '' | 'free' | 'paid' | '10' | '25'

export const priceBands: readonly { value: PriceBand; label: string }[] = [
  { value: '', label: 'Any price' },
  { value: 'free', label: 'Free' },
  { value: 'paid', label: 'Not free' },
  { value: '10', label: 'Up to 10' },
  { value: '25', label: 'Up to 25' },
]

/** Whether a price is within a band; an amount counts as it is, whatever its currency. */
export function inBand(module: Pick<Module, 'price'>, band: string): boolean {
  if (band === 'free') return isFree(module.price)
  if (band === 'paid') return !isFree(module.price)
  return band === '' || Number(module.price) <= Number(band)
}

/** What the catalogue is sorted by: the API's words. */
export const sortings = [
  { value: 'name', label: 'Name' },
  { value: 'price', label: 'Price, lowest first' },
  { value: '-price', label: 'Price, highest first' },
  { value: '-updated_at', label: 'Changed lately' },
  { value: '-published_at', label: 'Newest' },
] as const

export type InstallationStatus = Installation['status']

interface StatusWords {
  label: string
  /** What it means, in a sentence. */
  about: string
}

const statuses: Record<InstallationStatus, StatusWords> = {
  pending: { label: 'Waiting', about: 'It is written down; modules that it needs come first.' },
  dispatched: {
    label: 'Sent',
    about: 'The server’s agent is told; if it is away, it is told when it is back, within a day.',
  },
  downloading: { label: 'Downloading', about: 'The agent fetches the file.' },
  installing: { label: 'Installing', about: 'The agent puts the file into its place.' },
  installed: { label: 'Installed', about: 'It is on the server.' },
  failed: { label: 'Failed', about: 'It did not come about; the version before is still there.' },
  cancelled: { label: 'Cancelled', about: 'It never was; the version before is still there.' },
  uninstalling: { label: 'Removing', about: 'The agent takes it away.' },
  uninstalled: { label: 'Removed', about: 'It is not on the server any more.' },
}

/** The words for a status; of one that this page does not know, the API's own. */
export const statusWords = (status: string): StatusWords =>
  statuses[status as InstallationStatus] ?? { label: status, about: '' }

/** Whether an installation is under way, and changes without being asked. */
export const isOpen = (status: string): boolean =>
  ['pending', 'dispatched', 'downloading', 'installing', 'uninstalling'].includes(status)

export type InstallationAction = 'cancel' | 'uninstall' | 'retry' | 'rollback'

/** What may be asked of an installation in its status. */
export function actionsOf(i: Pick<Installation, 'status' | 'replaces'>): InstallationAction[] {
  switch (i.status) {
    case 'failed':
      return ['retry', 'uninstall']
    case 'installed':
      return i.replaces ? ['rollback', 'uninstall'] : ['uninstall']
    case 'pending':
    case 'dispatched':
    case 'downloading':
    case 'installing':
      return ['cancel']
    default:
      return []
  }
}

/** How far an installation is, 0 to 100: what the agent says, and whole once it is over. */
export const progressOf = (i: Pick<Installation, 'status' | 'progress'>): number =>
  i.status === 'installed' || i.status === 'uninstalled' ? 100 : i.progress

/** An installation after what the live stream tells of it; what is told late changes nothing. */
export function moved<T extends Installation>(i: T, told: Transition): T {
  if (Date.parse(told.at) < Date.parse(i.updated_at)) return i
  const { status, progress, error, code, attempt, at: updated_at } = told
  return { ...i, status, progress, error, code, attempt, updated_at }
}

/** What a failure of an installation means, by its code, and what to do. */
const failures: Record<string, string> = {
  unreached: 'The agent never took the command: see that it runs beside the server, then retry.',
  silent: 'The agent went silent. If it comes back and finishes, this becomes installed after all.',
  needs: 'A module that it needs did not come about: look at that one first.',
  'disk-full': 'There is no room in the plugin directory; the old file is untouched.',
  target: 'Something else lies where the file belongs: move it away, then retry.',
  expired: 'The clock of the server’s machine is more than a day ahead: set it right, then retry.',
  digest: 'The file was not what the catalogue says: retry, and tell the publisher if it stays so.',
}

/** Words of a program as a sentence, for others to follow it. */
export const sentence = (text: string): string => (/[.!?…]$/.test(text) ? text : `${text}.`)

/** What to do about a failure; empty where its own words are enough. */
export const failureAdvice = (code: string | null): string => (code ? (failures[code] ?? '') : '')

/** How a rollout stands. */
export interface RolloutSum {
  servers: number
  installed: number
  failed: number
  open: number
  waiting: number
  /** Servers that are done, whatever the end, in percent. */
  percent: number
}

/** Counts a rollout's servers by what became of them. */
export function sumRollout(servers: readonly RolloutServer[] = []): RolloutSum {
  const of = (has: (status: string) => boolean) => servers.filter((s) => s.status && has(s.status)).length
  const installed = of((s) => s === 'installed')
  const open = of(isOpen)
  const failed = of((s) => s === 'failed')
  const over = of((s) => !isOpen(s))
  const all = servers.length
  return {
    servers: all,
    installed,
    failed,
    open,
    waiting: servers.filter((s) => !s.status).length,
    percent: all === 0 ? 0 : (over / all) * 100,
  }
}

export type RolloutVerb = 'pause' | 'resume' | 'cancel' | 'rollback'

/** What may be asked of a rollout in its status. */
export function verbsOf(status: Rollout['status']): RolloutVerb[] {
  switch (status) {
    case 'running':
      return ['pause', 'cancel', 'rollback']
    case 'paused':
      return ['resume', 'cancel', 'rollback']
    case 'rolling-back':
    case 'rolled-back':
      return []
    default:
      return ['rollback']
  }
}

const rolloutLabels: Record<Rollout['status'], string> = {
  running: 'Running',
  paused: 'Paused',
  done: 'Done',
  stopped: 'Stopped',
  cancelled: 'Cancelled',
  'rolling-back': 'Going back',
  'rolled-back': 'Taken back',
}

export const rolloutLabel = (status: Rollout['status']): string => rolloutLabels[status] ?? status

export const isOpenRollout = (status: Rollout['status']): boolean =>
  ['running', 'paused', 'rolling-back'].includes(status)

/** The versions of a module that can be chosen, the latest first under an empty value; deprecated ones where they may be. */
export function versionOptions(module: Module, deprecated: boolean): { value: string; label: string }[] {
  const others = (module.versions ?? []).filter(
    (v) =>
      v.version !== module.version && (v.status === 'published' || (deprecated && v.status === 'deprecated')),
  )
  return [
    { value: '', label: `The latest, ${module.version ?? '–'}` },
    ...others.map(({ version, status }) => ({
      value: version,
      label: status === 'deprecated' ? `${version}, deprecated` : version,
    })),
  ]
}

/** How many batches so many servers make. */
export const batchesOf = (servers: number, size: number): number =>
  servers <= 0 || size <= 0 ? 0 : Math.ceil(servers / size)

const purchaseLabels: Record<string, string> = {
  pending: 'Waits for payment',
  capturing: 'Being settled',
  completed: 'Paid',
  refunding: 'Being given back',
  refunded: 'Given back',
  failed: 'Failed',
  cancelled: 'Cancelled',
}

export const purchaseLabel = (status: string): string => purchaseLabels[status] ?? status

/** How long a module can be given back after it was paid, ms. */
const returnTime = 14 * 86_400_000

/** Whether an owner may give a purchase back at a time, epoch ms. The server decides in the end. */
export const canReturn = (p: Pick<Purchase, 'status' | 'completed_at'>, now: number): boolean =>
  p.status === 'completed' && p.completed_at !== null && now - Date.parse(p.completed_at) < returnTime

/** A whole number that a field holds, within bounds; null where it is none. */
export function wholeNumber(text: string, least: number, most: number): number | null {
  const n = Number(text)
  return /^\d+$/.test(text.trim()) && n >= least && n <= most ? n : null
}
