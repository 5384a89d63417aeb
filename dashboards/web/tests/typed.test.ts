import { expect, test } from 'vitest'
import { createTypedClient } from '@/api/typed'

const base = 'http://corrosion.test'

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
  const client = createTypedClient(() => 'secret', fetcher, base)
  const { data } = await client.GET('/api/analytics/summary', {
    params: { query: { range: '24h', server_id: ['eu-1', 'eu-2'] } },
  })
  const current: number | null | undefined = data?.players.current
  expect(current).toBe(12)
  expect(asked[0]?.url).toBe(`${base}/api/analytics/summary?range=24h&server_id=eu-1&server_id=eu-2`)
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

test('the token is asked anew for each request, and a problem is an error', async () => {
  const problem = { type: '/api/docs#forbidden', title: 'No', status: 403, code: 'forbidden' }
  const { asked, fetcher } = answering(403, problem)
  let token: string | null = null
  const client = createTypedClient(() => token, fetcher, base)
  const { data, error } = await client.GET('/api/analytics/retention')
  expect(data).toBeUndefined()
  expect(error?.code).toBe('forbidden')
  expect(asked[0]?.headers.has('Authorization')).toBe(false)
  token = 'fresh'
  await client.GET('/api/analytics/retention')
  expect(asked[1]?.headers.get('Authorization')).toBe('Bearer fresh')
})
