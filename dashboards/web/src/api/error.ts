import type { Problem } from './types'

/** What went wrong, in the terms that decide what the page does next. */
export type Failure = 'network' | 'timeout' | 'stalled' | 'answer' | 'status'

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

  /** The problem's word for programs, such as "totp-required"; empty when there is none. */
  get code(): string {
    return this.problem?.code ?? ''
  }

  /** Asking the same again cannot help: the request itself or the token is refused. */
  get permanent(): boolean {
    return [400, 401, 403, 404, 409, 410, 422].includes(this.status)
  }
}

/** The error that an answer with a bad status stands for. */
export async function statusError(response: Response): Promise<ApiError> {
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

/** The message about one field of a form, by the end of its location: "body.email" is about email. */
export function faultOf(error: unknown, field: string): string {
  if (!(error instanceof ApiError)) return ''
  const fault = error.problem?.errors?.find((e) => e.location?.split('.').at(-1) === field)
  return fault?.message ?? ''
}

/** The messages about a field and everything within it: "body.tags.region" is about tags. */
export function faultsWithin(error: unknown, field: string): string {
  if (!(error instanceof ApiError)) return ''
  const within = new RegExp(`(^|\\.)${field}([.[]|$)`)
  const faults = (error.problem?.errors ?? []).filter((e) => within.test(e.location ?? ''))
  return faults.map((e) => `${(e.location ?? '').replace(/^body\./, '')} ${e.message ?? ''}`).join('; ')
}
