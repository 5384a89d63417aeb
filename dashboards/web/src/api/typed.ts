import createClient, { type Client } from 'openapi-fetch'
import type { paths } from './schema'

export type TypedClient = Client<paths>

/**
 * A client of every route, typed from the OpenAPI document. `token` is asked before each request, so that a fresh one is
 * used at once; null asks without one. `data` is the answer and `error` the problem of a status that is not 2xx.
 */
export function createTypedClient(
  token: () => string | null,
  fetcher: typeof fetch = (...a) => fetch(...a),
  baseUrl = '',
): TypedClient {
  const client = createClient<paths>({
    baseUrl,
    fetch: (request) => fetcher(request),
    credentials: 'same-origin',
  })
  client.use({
    onRequest({ request }) {
      const bearer = token()
      if (bearer) request.headers.set('Authorization', `Bearer ${bearer}`)
      return request
    },
  })
  return client
}
