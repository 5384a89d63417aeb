import createFetchClient, { type Client } from 'openapi-fetch'
import { ApiError, statusError } from './error'
import type { paths } from './schema'

/** The typed client: `http.GET('/api/…', { params, signal })`; paths, parameters and answers are the document's. */
export type Http = Client<paths>

/** Who asks: gives the token for the Authorization header, and another one when that was refused. */
export interface Bearer {
  token(): string | null
  /** Called once for an answer 401; gives a token to try again with, or null when there is none. */
  renew(refused: string): Promise<string | null>
}

export const nobody: Bearer = { token: () => null, renew: () => Promise.resolve(null) }

const requestTimeout = 20_000

export type Fetch = typeof fetch
const pageFetch: Fetch = (...a) => fetch(...a)

/** Makes a client whose every failure is an ApiError, and whose token travels in the Authorization header only. */
export function createHttp(bearer: Bearer = nobody, fetcher: Fetch = pageFetch): Http {
  // A request is made of an absolute URL; outside a browser there is none to complete it by.
  const baseUrl = typeof location === 'undefined' ? 'http://localhost' : location.origin
  return createFetchClient<paths>({
    baseUrl,
    headers: { Accept: 'application/json' },
    fetch: (request) => send(request, bearer, fetcher),
  })
}

/** How long a request may take: its end, and what its failure is called then. */
export interface Patience {
  signal: AbortSignal
  spent: () => ApiError
}

const patience = (): Patience => ({
  signal: AbortSignal.timeout(requestTimeout),
  spent: () => new ApiError('timeout', `no answer within ${requestTimeout / 1000} s`),
})

/** Sends a request with the bearer's token, renewed once where it is refused; every failure is an ApiError. */
export async function send(
  request: Request,
  bearer: Bearer,
  fetcher: Fetch,
  limit = patience(),
): Promise<Response> {
  const signal = AbortSignal.any([request.signal, limit.signal])
  try {
    const response = await authorised(request, signal, bearer, fetcher)
    if (!response.ok) throw await statusError(response)
    return response
  } catch (error) {
    throw asApiError(error, request.signal, limit)
  }
}

async function authorised(request: Request, signal: AbortSignal, bearer: Bearer, fetcher: Fetch) {
  const token = bearer.token()
  // The body of a request can be read once: the second try needs one of its own.
  const again = token === null ? null : request.clone()
  const first = await fetcher(withToken(request, token), { signal })
  if (first.status !== 401 || token === null || again === null) return first
  const renewed = await bearer.renew(token)
  return renewed === null ? first : fetcher(withToken(again, renewed), { signal })
}

function withToken(request: Request, token: string | null): Request {
  if (token !== null) request.headers.set('Authorization', `Bearer ${token}`)
  return request
}

function asApiError(error: unknown, signal: AbortSignal, limit: Patience): unknown {
  // The caller's own abort is not a failure of the API: it passes through as it is.
  if (error instanceof ApiError || signal.aborted) return error
  if (limit.signal.aborted) return limit.spent()
  return new ApiError('network', 'the server cannot be reached')
}

/** The body of an answer; openapi-fetch parses it after our fetch, so a body that is none fails here. */
export async function bodyOf<T>(
  answer: Promise<{ data?: unknown }>,
  valid: (body: T) => boolean = () => true,
): Promise<T> {
  let body: T
  try {
    body = (await answer).data as T
  } catch (error) {
    throw error instanceof SyntaxError ? new ApiError('answer', 'the answer is not JSON') : error
  }
  if (!body || !valid(body)) throw new ApiError('answer', 'the answer has another shape than expected')
  return body
}

/** The body of an answer with its ETag, for a change that names what was read. */
export async function taggedBodyOf<T>(
  answer: Promise<{ data?: unknown; response: Response }>,
): Promise<{ body: T; etag: string }> {
  return { body: await bodyOf<T>(answer), etag: (await answer).response.headers.get('ETag') ?? '' }
}

/** A file of the API with the name that the server gives it. */
export async function fileOf(
  answer: Promise<{ data?: unknown; response: Response }>,
  otherwise: string,
): Promise<{ blob: Blob; name: string }> {
  const blob = await bodyOf<Blob>(answer, (body) => body instanceof Blob)
  const disposition = (await answer).response.headers.get('Content-Disposition') ?? ''
  return { blob, name: /filename="([^"/\\]+)"/.exec(disposition)?.[1] ?? otherwise }
}
