import { describe, expect, it, vi } from 'vitest'
import { ApiError, createClient, retryAfter, timeseriesParams } from '@/api/client'
import { explain } from '@/lib/explain'
import { answer } from './build'

const open = new AbortController().signal
const json = (body: unknown, status = 200, headers: Record<string, string> = {}) =>
  new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json', ...headers } })
const client = (respond: () => Promise<Response> | Response) =>
  createClient({ kind: 'demo' }, async () => respond())
const failure = async (respond: () => Promise<Response> | Response) => {
  try {
    await client(respond).summary({ range: '24h' }, open)
  } catch (error) {
    return error as ApiError
  }
  throw new Error('no failure')
}

describe('createClient', () => {
  it('keeps a token out of the URL', async () => {
    const fetcher = vi.fn(async () => json(answer()))
    const query = { range: { range: '7d' }, metrics: ['fps', 'players'], agg: 'avg', step: '1h' } as const
    await createClient({ kind: 'token', token: 'secret' }, fetcher as typeof fetch).timeseries(query, open)
    const [url, init] = fetcher.mock.calls[0] as unknown as [string, RequestInit]
    expect(url).toBe('/api/analytics/timeseries?range=7d&metric=fps&metric=players&agg=avg&step=1h')
    expect(init.headers).toMatchObject({ Authorization: 'Bearer secret' })
  })

  it('leaves the step out when the server is to choose', () => {
    expect(timeseriesParams({ range: { from: '1', to: '2' }, metrics: ['fps'], agg: 'p05' }).toString()).toBe(
      'from=1&to=2&metric=fps&agg=p05',
    )
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
