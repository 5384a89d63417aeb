import { ApiError } from './error'
import { send, type Bearer, type Fetch } from './http'

/** An upload ends where nothing has moved for so long, however long it takes as a whole, ms. */
export const stallLimit = 20_000

/** How much has left, in percent of the body: 100 while the server is at work on it. */
export type TellSent = (percent: number) => void

/**
 * For the `fetch` of one request with a large body: it tells how the body leaves, which the browser's own fetch cannot,
 * and fails as `stalled` where nothing moves any more.
 */
export function uploader(
  bearer: Bearer,
  tell: TellSent,
  make: () => XMLHttpRequest = () => new XMLHttpRequest(),
): (request: Request) => Promise<Response> {
  return async (request) => {
    const stalled = new AbortController()
    let timer = setTimeout(() => stalled.abort(), stallLimit)
    const moved = (percent: number) => {
      clearTimeout(timer)
      timer = setTimeout(() => stalled.abort(), stallLimit)
      tell(percent)
    }
    const limit = {
      signal: stalled.signal,
      spent: () => new ApiError('stalled', `nothing moved for ${stallLimit / 1000} s`),
    }
    const post: Fetch = async (input, init) => transfer(make(), input as Request, init?.signal, moved)
    try {
      return await send(request, bearer, post, limit)
    } finally {
      clearTimeout(timer)
    }
  }
}

async function transfer(
  xhr: XMLHttpRequest,
  request: Request,
  signal: AbortSignal | null | undefined,
  moved: TellSent,
): Promise<Response> {
  const body = await request.blob()
  return new Promise((resolve, reject) => {
    xhr.open(request.method, request.url)
    request.headers.forEach((value, name) => xhr.setRequestHeader(name, value))
    xhr.responseType = 'text'
    xhr.upload.onprogress = ({ loaded, total }) => moved(total > 0 ? (loaded / total) * 100 : 0)
    xhr.onprogress = () => moved(100)
    xhr.onload = () => resolve(answerOf(xhr))
    xhr.onerror = () => reject(new TypeError('the upload failed'))
    xhr.onabort = () => reject(new DOMException('the upload was ended', 'AbortError'))
    signal?.addEventListener('abort', () => xhr.abort(), { once: true })
    if (signal?.aborted) return reject(new DOMException('the upload was ended', 'AbortError'))
    xhr.send(body)
  })
}

function answerOf(xhr: XMLHttpRequest): Response {
  const headers = new Headers()
  for (const line of xhr
    .getAllResponseHeaders()
    .trim()
    .split(/[\r\n]+/)) {
    const colon = line.indexOf(':')
    if (colon > 0) headers.append(line.slice(0, colon).trim(), line.slice(colon + 1).trim())
  }
  const bare = [204, 205, 304].includes(xhr.status)
  return new Response(bare ? null : xhr.responseText, { status: xhr.status, headers })
}
