import { expect, test } from 'vitest'
import { createHttp } from '@/api/http'

/** A server that answers everything with one body and remembers what was asked. */
function answering(status: number, body: unknown) {
  const asked: Request[] = []
  const fetcher = ((request: Request) => {
    asked.push(request)
    const headers = { 'Content-Type': status < 400 ? 'application/json' : 'application/problem+json' }
    return Promise.resolve(new Response(JSON.stringify(body), { status, headers }))
  }) as typeof fetch
  return { asked, fetcher }
}

test('parameters, bodies and answers have the types of the document', async () => {
  const { asked, fetcher } = answering(200, { players: { current: 12 }, source: 'raw' })
  const client = createHttp({ token: () => 'secret', renew: () => Promise.resolve(null) }, fetcher)
  const { data } = await client.GET('/api/analytics/summary', {
    params: { query: { range: '24h', server_id: ['eu-1', 'eu-2'] } },
  })
  const current: number | null | undefined = data?.players.current
  expect(current).toBe(12)
  expect(asked[0]?.url).toBe(`http://localhost/api/analytics/summary?range=24h&server_id=eu-1&server_id=eu-2`)
  expect(asked[0]?.headers.get('Authorization')).toBe('Bearer secret')

  await client.POST('/api/analytics/events', { body: { kind: 'wipe', title: 'Forced wipe' } })
  expect(asked[1]?.method).toBe('POST')

  // What the document does not know does not compile.
  // @ts-expect-error no such parameter
  await client.GET('/api/analytics/summary', { params: { query: { rnage: '24h' } } })
  // @ts-expect-error no such kind
  await client.POST('/api/analytics/events', { body: { kind: 'party', title: 'x' } })
  // @ts-expect-error the server's id is missing
  await client.GET('/api/analytics/servers/{server_id}', {})
})
