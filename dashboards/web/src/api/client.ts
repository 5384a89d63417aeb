import type { Agg, Problem, Summary, Timeseries } from './types'

/** Whose data is read: the demo network, open to all, or the license of an access token. */
export type Credentials = { kind: 'demo' } | { kind: 'token'; token: string }

/** The query parameters of a range, already worded for the API: `range`, or `from` and `to`. */
export type RangeParams = Record<string, string>

export interface TimeseriesQuery {
  range: RangeParams
  metrics: readonly string[]
  agg: Agg
  /** Bucket width as a duration; absent lets the server choose. */
  step?: string
}

export interface Client {
  summary(range: RangeParams, signal: AbortSignal): Promise<Summary>
  timeseries(query: TimeseriesQuery, signal: AbortSignal): Promise<Timeseries>
}

/** What went wrong, in the terms that decide what the page does next. */
export type Failure = 'network' | 'timeout' | 'answer' | 'status'

/** A request that did not bring what was asked for. */
export class ApiError extends Error {
  constructor(
    readonly failure: Failure,
    message: string,
    /** The HTTP status; 0 when none arrived. */
    readonly status = 0,
    readonly problem: Problem | null = null,
    /** How long the server asks to wait, ms; 0 when it does not say. */
    readonly retryAfter = 0,
  ) {
    super(message)
    this.name = 'ApiError'
  }

  /** Asking the same again cannot help: the request itself or the token is refused. */
  get permanent(): boolean {
    return [400, 401, 403, 422].includes(this.status)
  }
}

const requestTimeout = 20_000

/** Reads the analytics API; a token travels in the Authorization header only, never in a URL. */
export function createClient(
  credentials: Credentials,
  fetcher: typeof fetch = (...a) => fetch(...a),
): Client {
  const base = credentials.kind === 'demo' ? '/api/public/demo' : '/api/analytics'
  const headers: Record<string, string> = { Accept: 'application/json' }
  if (credentials.kind === 'token') headers['Authorization'] = `Bearer ${credentials.token}`

  const read = <T>(path: string, query: URLSearchParams, signal: AbortSignal, valid: (v: T) => boolean) =>
    getJSON<T>(fetcher, `${base}/${path}?${query}`, headers, signal, valid)

  return {
    summary: (range, signal) => read<Summary>('summary', new URLSearchParams(range), signal, isSummary),
    timeseries: (query, signal) =>
      read<Timeseries>('timeseries', timeseriesParams(query), signal, isTimeseries),
  }
}

/** The query string of a timeseries request, in the contract's words. */
export function timeseriesParams(query: TimeseriesQuery): URLSearchParams {
  const params = new URLSearchParams(query.range)
  for (const metric of query.metrics) params.append('metric', metric)
  params.set('agg', query.agg)
  if (query.step) params.set('step', query.step)
  return params
}

async function getJSON<T>(
  fetcher: typeof fetch,
  url: string,
  headers: Record<string, string>,
  signal: AbortSignal,
  valid: (value: T) => boolean,
): Promise<T> {
  const timeout = AbortSignal.timeout(requestTimeout)
  try {
    const response = await fetcher(url, { headers, signal: AbortSignal.any([signal, timeout]) })
    if (!response.ok) throw await statusError(response)
    const body = (await response.json()) as T
    if (!valid(body)) throw new ApiError('answer', 'the answer has another shape than expected')
    return body
  } catch (error) {
    throw asApiError(error, signal, timeout)
  }
}

function asApiError(error: unknown, signal: AbortSignal, timeout: AbortSignal): unknown {
  // The caller's own abort is not a failure of the API: it passes through as it is.
  if (error instanceof ApiError || signal.aborted) return error
  if (timeout.aborted) return new ApiError('timeout', `no answer within ${requestTimeout / 1000} s`)
  if (error instanceof SyntaxError) return new ApiError('answer', 'the answer is not JSON')
  return new ApiError('network', 'the server cannot be reached')
}

async function statusError(response: Response): Promise<ApiError> {
  const problem = await readProblem(response)
  const message = problem?.detail ?? problem?.title ?? `status ${response.status}`
  return new ApiError('status', message, response.status, problem, retryAfter(response.headers, Date.now()))
}

async function readProblem(response: Response): Promise<Problem | null> {
  if (!(response.headers.get('Content-Type') ?? '').includes('json')) return null
  try {
    return (await response.json()) as Problem
  } catch {
    return null
  }
}

/** The Retry-After header in ms: it holds seconds or an HTTP date; 0 when absent, past or unreadable. */
export function retryAfter(headers: Headers, now: number): number {
  const text = headers.get('Retry-After')
  if (!text) return 0
  const wait = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now
  return Number.isFinite(wait) ? Math.max(0, wait) : 0
}

function isSummary(value: Summary): boolean {
  return typeof value?.samples === 'number' && typeof value.servers?.total === 'number' && !!value.players
}

function isTimeseries(value: Timeseries): boolean {
  if (!Array.isArray(value?.timestamps) || !Array.isArray(value.series)) return false
  return value.series.every((s) => Array.isArray(s.values) && s.values.length === value.timestamps.length)
}
