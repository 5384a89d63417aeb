import { bodyOf, taggedBodyOf } from '@/api/http'
import type { GameServer, ServerSettings } from '@/api/types'
import { http } from '@/session'

/** What people say of servers, read and written; for admins and owners. */
export function useServerSettings() {
  /** A server with the ETag that a change of it names. */
  const read = (server_id: string) =>
    taggedBodyOf<GameServer>(
      http.GET('/api/analytics/servers/{server_id}', { params: { path: { server_id } } }),
    )

  /** Writes everything that people say of a server; refused with `changed` where somebody else was faster. */
  async function write(server_id: string, etag: string, body: ServerSettings): Promise<void> {
    const params = { path: { server_id }, header: { 'If-Match': etag } }
    await http.PUT('/api/analytics/servers/{server_id}', { params, body })
  }

  const add = (server_id: string, settings: ServerSettings) =>
    bodyOf<GameServer>(http.POST('/api/analytics/servers', { body: { server_id, ...settings } }))

  async function archive(server_id: string): Promise<void> {
    await http.POST('/api/analytics/servers/{server_id}/archive', { params: { path: { server_id } } })
  }

  async function unarchive(server_id: string): Promise<void> {
    await http.POST('/api/analytics/servers/{server_id}/unarchive', { params: { path: { server_id } } })
  }
  return { read, write, add, archive, unarchive }
}
