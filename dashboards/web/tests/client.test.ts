import { describe, expect, it } from 'vitest'
import { ApiError, faultOf, retryAfter } from '@/api/error'
import { createHttp, type Bearer } from '@/api/http'
import { createReader } from '@/api/reader'
import { explain } from '@/lib/explain'
import { answer } from './build'

const open = new AbortController().signal
const json = (body: unknown, status = 200, headers: Record<string, string> = {}) =>
  new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json', ...headers } })
const reader = (respond: (request: Request) => Promise<Response> | Response, bearer?: Bearer) =>
  createReader(
    createHttp(bearer, async (request) => respond(request as Request)),
    '/api/analytics',
  )
const client = (respond: () => Promise<Response> | Response) => reader(respond)
const failure = async (respond: () => Promise<Response> | Response) => {
  try {
    await client(respond).summary({ range: '24h' }, open)
  } catch (error) {
    return error as ApiError
  }
  throw new Error('no failure')
}

describe('the client', () => {
  it('keeps a token out of the URL', async () => {
    const asked: Request[] = []
    const bearer = { token: () => 'secret', renew: () => Promise.resolve(null) }
    const query = { range: { range: '7d' }, metrics: ['fps', 'players'], agg: 'avg', step: '1h' } as const
    await reader((request) => {
      asked.push(request)
      return json(answer())
    }, bearer).timeseries(query, open)
    const [request] = asked
    const url = new URL(request?.url ?? '')
    expect(url.pathname + url.search).toBe(
      '/api/analytics/timeseries?range=7d&metric=fps&metric=players&agg=avg&step=1h',
    )
    expect(request?.headers.get('Authorization')).toBe('Bearer secret')
  })

  it('says of an answer that breaks off, or stops, what became of it', async () => {
    const broken = (fault: Error) => () =>
      new Response(
        new ReadableStream({
          start(c) {
            c.enqueue(new TextEncoder().encode('{"samples":'))
            c.error(fault)
          },
        }),
        { headers: { 'Content-Type': 'application/json' } },
      )
    expect(await failure(broken(new TypeError('network error')))).toMatchObject({ failure: 'network' })
    const late = broken(new DOMException('signal timed out', 'TimeoutError'))
    expect(await failure(late)).toMatchObject({ failure: 'timeout' })
  })

  it('reads the demo from its own routes', async () => {
    const asked: string[] = []
    const http = createHttp(undefined, async (request) => {
      asked.push(new URL((request as Request).url).pathname)
      return json({ servers: [], total: 0, next: null })
    })
    await createReader(http, '/api/public/demo').servers({}, open)
    expect(asked).toEqual(['/api/public/demo/servers'])
  })

  it('tries once more with a renewed token, with the same body', async () => {
    const sent: string[] = []
    const bearer = { token: () => 'old', renew: (refused: string) => Promise.resolve(`after ${refused}`) }
    const http = createHttp(bearer, async (request) => {
      const r = request as Request
      sent.push(`${r.headers.get('Authorization')} ${await r.text()}`)
      return r.headers.get('Authorization') === 'Bearer old' ? json({}, 401) : json({ access_token: 'x' })
    })
    await http.POST('/api/auth/token', { body: { license_id: 'a' } })
    expect(sent).toEqual(['Bearer old {"license_id":"a"}', 'Bearer after old {"license_id":"a"}'])
  })

  it('leaves a refusal as it is when there is no other token', async () => {
    const bearer = { token: () => 'old', renew: () => Promise.resolve(null) }
    await expect(
      reader(() => json({ code: 'session-ended' }, 401), bearer).servers({}, open),
    ).rejects.toMatchObject({
      status: 401,
      code: 'session-ended',
    })
  })

  it('finds the fault of a field', () => {
    const problem = { errors: [{ location: 'body.email', message: 'is no email' }] }
    expect(faultOf(new ApiError('status', 'x', 422, problem), 'email')).toBe('is no email')
    expect(faultOf(new ApiError('status', 'x', 422, problem), 'name')).toBe('')
  })

  it('reads problem+json with its faults', async () => {
    const problem = {
      title: 'Unprocessable',
      detail: 'bad',
      errors: [{ location: 'query.step', message: 'too many points' }],
    }
    const error = await failure(() => json(problem, 422, { 'Content-Type': 'application/problem+json' }))
    expect(error).toMatchObject({ failure: 'status', status: 422, permanent: true })
    expect(explain(error).advice).toBe('too many points')
  })

  it('takes a page of HTML for an unreadable answer, never for data', async () => {
    expect(await failure(() => new Response('<html>'))).toMatchObject({ failure: 'answer' })
    expect(await failure(() => json({ hello: 1 }))).toMatchObject({ failure: 'answer' })
    expect(await failure(() => new Response('<html>', { status: 502 }))).toMatchObject({
      status: 502,
      problem: null,
    })
  })

  it('refuses columns of unequal length', async () => {
    const broken = answer({ timestamps: [1, 2, 3] })
    const query = { range: {}, metrics: ['fps'], agg: 'avg' } as const
    await expect(client(() => json(broken)).timeseries(query, open)).rejects.toMatchObject({
      failure: 'answer',
    })
  })

  it('tells a network failure from an abort of its own', async () => {
    expect(await failure(() => Promise.reject(new TypeError('refused')))).toMatchObject({
      failure: 'network',
    })
    const abort = new AbortController()
    abort.abort()
    const rejected = client(() => Promise.reject(abort.signal.reason)).summary({}, abort.signal)
    await expect(rejected).rejects.toBe(abort.signal.reason)
  })

  it('honours Retry-After in seconds and as a date', () => {
    const wait = (text: string) => retryAfter(new Headers({ 'Retry-After': text }), Date.UTC(2026, 0, 1))
    expect([wait('7'), wait('Thu, 01 Jan 2026 00:00:05 GMT'), wait('soon'), wait('-3')]).toEqual([
      7000, 5000, 0, 0,
    ])
    expect(retryAfter(new Headers(), 0)).toBe(0)
  })
})

describe('explain', () => {
  it('has words for every failure', () => {
    const statuses = [400, 401, 403, 404, 429, 500, 502, 503].map((s) => new ApiError('status', 'x', s))
    const others = (['network', 'timeout', 'answer'] as const).map((f) => new ApiError(f, 'x'))
    for (const error of [...statuses, ...others, new Error('x'), null]) {
      const { title, advice } = explain(error)
      expect(title.length * advice.length).toBeGreaterThan(0)
    }
    expect(explain(new ApiError('network', 'x'), false).title).toBe('You are offline')
  })
})
