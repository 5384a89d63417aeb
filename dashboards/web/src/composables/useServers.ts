import { computed, onBeforeUnmount, shallowRef, triggerRef } from 'vue'
import type { Reader, ServersQuery } from '@/api/reader'
import type { GameServer, LiveServer } from '@/api/types'
import type { LiveChanges } from '@/live/types'
import { rowOf } from '@/lib/servers'
import { useSession } from '@/session'
import { usePolling } from './usePolling'

/** The largest page that the API gives. */
const pageSize = '500'
/** The list brings names, tags and sparklines; what moves every second comes by the live stream. */
const interval = 60_000
/** Live changes are shown together, at most so often, ms: nobody reads a table that moves faster. */
const frame = 500

/** All servers that a query chooses, page after page. */
export async function allServers(
  reader: Reader,
  signal: AbortSignal,
  query: ServersQuery = {},
): Promise<GameServer[]> {
  const servers: GameServer[] = []
  let cursor: string | undefined
  do {
    const page = await reader.servers({ ...query, limit: pageSize, ...(cursor ? { cursor } : {}) }, signal)
    servers.push(...page.servers)
    cursor = page.next ?? undefined
  } while (cursor)
  return servers
}

/** All servers of the network as rows of a table; `onLive` takes what the live stream says of them. */
export function useServers() {
  const { reader, subject } = useSession()
  const { state, retry } = usePolling<GameServer[]>(() => {
    const source = reader.value
    return { key: 'servers', subject: subject.value, load: (signal) => allServers(source, signal) }
  }, interval)

  const live = shallowRef(new Map<string, LiveServer>())
  let timer: ReturnType<typeof setTimeout> | undefined
  function onLive({ reset, servers, gone }: LiveChanges): void {
    if (reset) live.value.clear()
    for (const server of servers) live.value.set(server.server_id, server)
    for (const id of gone) live.value.delete(id)
    timer ??= setTimeout(() => {
      timer = undefined
      triggerRef(live)
    }, frame)
  }
  onBeforeUnmount(() => clearTimeout(timer))

  const rows = computed(() => {
    const now = live.value
    return (state.data ?? []).map((server) => rowOf(server, now.get(server.server_id)))
  })
  return { state, retry, rows, onLive }
}
