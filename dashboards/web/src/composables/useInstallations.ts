import { bodyOf } from '@/api/http'
import type { AgentCredentials, Installation, InstallationDetails, InstallationPage } from '@/api/modules'
import { saveBlob } from '@/lib/files'
import { moved, type InstallationAction, type InstallationStatus } from '@/lib/modules'
import { once } from '@/lib/once'
import { omitEmpty } from '@/lib/platform'
import { http, useSession } from '@/session'
import { useListing } from './useListing'
import { usePolling } from './usePolling'
import { useTransitions } from './useTransitions'

/** Changes come with the live stream; this often it is asked what the stream does not tell, or where there is none, ms. */
const interval = 10_000

/** Which installations are listed; what is empty chooses all. */
export interface InstallationAsk {
  server_id: string
  module: string
  status: InstallationStatus | ''
}

/** The license's installations, page by page, as they go. */
export function useInstallations(ask: () => InstallationAsk) {
  const list = useListing<Installation>(
    () => JSON.stringify(ask()),
    async (cursor, signal) => {
      const { status, ...of } = ask()
      const chosen = { ...omitEmpty(of), ...(status ? { status } : {}), ...(cursor ? { cursor } : {}) }
      const query = { limit: '50', ...chosen }
      const answer = http.GET('/api/modules/installations', { params: { query }, signal })
      const page = await bodyOf<InstallationPage>(answer, (body) => Array.isArray(body.installations))
      return { items: page.installations, next: page.next }
    },
    interval,
  )
  const { state, retry } = list
  useTransitions((told) => {
    const { server_id, module } = ask()
    if ((server_id && server_id !== told.server_id) || (module && module !== told.module)) return false
    const known = state.data?.items.find((i) => i.installation_id === told.installation_id)
    if (!state.data || !known) return true
    state.data = { ...state.data, items: state.data.items.map((i) => (i === known ? moved(i, told) : i)) }
    return known.status !== told.status
  }, retry)
  return list
}

/** One installation with its history, as it goes. */
export function useInstallation(id: () => string) {
  const { subject } = useSession()
  const { state, retry } = usePolling<InstallationDetails>(
    () => ({
      key: id(),
      subject: `${subject.value} ${id()}`,
      load: (signal) =>
        bodyOf<InstallationDetails>(
          http.GET('/api/modules/installations/{id}', { params: { path: { id: id() } }, signal }),
        ),
    }),
    interval,
  )
  useTransitions((told) => {
    const known = state.data
    if (known?.installation_id !== told.installation_id) return false
    state.data = moved(known, told)
    return known.status !== told.status
  }, retry)
  return { state, retry }
}

/** Makes credentials for a server's agent, in place of those before, and saves them: they are given once. */
export async function enrolAgent(server_id: string): Promise<string> {
  const made = await bodyOf<AgentCredentials>(http.POST('/api/agents', { body: { server_id } }))
  const name = `agent-${server_id}.json`
  saveBlob(new Blob([`${JSON.stringify(made, null, 2)}\n`], { type: 'application/json' }), name)
  return name
}

/** Begins an installation. */
export async function install(slug: string, server_id: string, version: string): Promise<Installation> {
  const params = { path: { slug }, header: once() }
  const body = { server_id, ...(version ? { version } : {}) }
  return bodyOf<Installation>(http.POST('/api/modules/{slug}/install', { params, body }))
}

/** Asks something of an installation; gives the one to look at then, which is a new one after a rollback. */
export async function askInstallation(id: string, action: InstallationAction): Promise<Installation> {
  const path = { id }
  if (action === 'cancel' || action === 'uninstall') {
    return bodyOf<Installation>(http.DELETE('/api/modules/installations/{id}', { params: { path } }))
  }
  const params = { path, header: once() }
  return bodyOf<Installation>(
    action === 'retry'
      ? http.POST('/api/modules/installations/{id}/retry', { params })
      : http.POST('/api/modules/installations/{id}/rollback', { params }),
  )
}
