import { ref } from 'vue'
import { bodyOf } from '@/api/http'
import type { ExportJob, ExportJobInput, ExportJobs } from '@/api/types'
import { saveBlob } from '@/lib/files'
import { once } from '@/lib/once'
import { http, useSession } from '@/session'
import { usePolling } from './usePolling'

const interval = 2_000

/** The license's export jobs, kept fresh, and what may be done with them. */
export function useExports() {
  const { subject } = useSession()
  const { state, retry } = usePolling<ExportJob[]>(
    () => ({
      key: 'exports',
      subject: subject.value,
      load: async (signal) => {
        const answer = await bodyOf<ExportJobs>(http.GET('/api/analytics/exports', { signal }))
        return answer.exports
      },
    }),
    interval,
  )

  async function create(input: ExportJobInput): Promise<void> {
    // The same press of the button twice is one job.
    const params = { header: once() }
    await http.POST('/api/analytics/exports', { params, body: input })
    retry()
  }

  async function remove(id: string): Promise<void> {
    await http.DELETE('/api/analytics/exports/{id}', { params: { path: { id } } })
    retry()
  }
  return { state, retry, create, remove }
}

/** How a download goes on. */
export interface Download {
  /** Bytes that have come. */
  got: number
  /** After the end: whether the bytes have the checksum of the manifest; null where the browser cannot tell. */
  verified: boolean | null
  done: boolean
}

/** Fetches files of export jobs with the token in a header, checks their SHA-256, and hands them to the browser. */
export function useDownloads() {
  const { session } = useSession()
  const downloads = ref<Record<string, Download>>({})

  async function download(url: string, name: string, sha256: string): Promise<void> {
    const progress: Download = { got: 0, verified: null, done: false }
    downloads.value[url] = progress
    const watched = downloads.value[url] as Download
    try {
      const response = await authorised(url)
      const blob = await readAll(response, (n) => (watched.got += n))
      watched.verified = await verify(blob, sha256)
      if (watched.verified === false) throw new Error('checksum')
      saveBlob(blob, name)
      watched.done = true
    } catch (error) {
      Reflect.deleteProperty(downloads.value, url)
      throw error
    }
  }

  async function authorised(url: string): Promise<Response> {
    const ask = (token: string | null) =>
      fetch(url, { headers: token ? { Authorization: `Bearer ${token}` } : {} })
    const token = session.token()
    let response = await ask(token)
    if (response.status === 401 && token) response = await ask(await session.renew(token))
    if (!response.ok || !response.body) throw new Error(`status ${response.status}`)
    return response
  }
  return { downloads, download }
}

async function readAll(response: Response, got: (bytes: number) => void): Promise<Blob> {
  const parts: BlobPart[] = []
  const reader = (response.body as ReadableStream<Uint8Array<ArrayBuffer>>).getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return new Blob(parts, { type: response.headers.get('Content-Type') ?? '' })
    parts.push(value)
    got(value.byteLength)
  }
}

/** Browsers hash whole buffers only, and on https and localhost only: larger files are checked with sha256sum. */
const mostHashed = 256 * 1024 * 1024

async function verify(blob: Blob, sha256: string): Promise<boolean | null> {
  if (blob.size > mostHashed || !('subtle' in crypto)) return null
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', await blob.arrayBuffer()))
  return [...hash].map((b) => b.toString(16).padStart(2, '0')).join('') === sha256.toLowerCase()
}
