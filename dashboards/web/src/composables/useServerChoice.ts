import { ref, watch } from 'vue'
import { bodyOf } from '@/api/http'
import type { Agent } from '@/api/modules'
import type { ServerList } from '@/api/types'
import { useSubmit } from '@/auth/useSubmit'
import { http, useSession } from '@/session'

/** A server that a module can be installed on. */
export interface ServerOption {
  id: string
  name: string
  /** Whether an agent runs beside it; without one nothing can be installed. */
  agent: Agent['state']
  tags: Record<string, string>
}

/** The license's servers with what is known of their agents, read when it is first needed. */
export function useServerChoice(needed: () => boolean) {
  const { subject } = useSession()
  const servers = ref<ServerOption[]>([])
  const {
    busy,
    why,
    submit: load,
  } = useSubmit(async () => {
    const [all, agents] = await Promise.all([readServers(), readAgents()])
    const states = new Map(agents.map((a) => [a.server_id, a.state]))
    servers.value = all.map((s) => ({
      id: s.server_id,
      name: s.name || s.server_id,
      agent: states.get(s.server_id) ?? 'never',
      tags: s.tags,
    }))
  })
  watch([needed, subject], ([now]) => now && void load(), { immediate: true })
  return { servers, busy, why, load }
}

async function readServers(): Promise<ServerList['servers']> {
  const servers: ServerList['servers'] = []
  let cursor: string | null = null
  do {
    const query = { limit: '500', sort: 'name', ...(cursor ? { cursor } : {}) }
    const page: ServerList = await bodyOf<ServerList>(
      http.GET('/api/analytics/servers', { params: { query } }),
    )
    servers.push(...page.servers)
    cursor = page.next
  } while (cursor)
  return servers
}

async function readAgents(): Promise<Agent[]> {
  return (await bodyOf<{ agents: Agent[] }>(http.GET('/api/agents', {}))).agents
}
