import { bodyOf } from '@/api/http'
import type { Challenge, Work } from '@/api/types'
import { http } from '@/session'

/** Longer than any device takes; the server asks nobody for a proof who does not ask often. */
const patience = 8_000

/** A proof of work for one request; undefined where this browser cannot make one (no https) or takes too long. */
export async function proof(): Promise<Work | undefined> {
  if (!globalThis.crypto?.subtle || typeof Worker === 'undefined') return undefined
  try {
    const challenge = await bodyOf<Challenge>(http.GET('/api/early-access/challenge'))
    return await inWorker(challenge)
  } catch {
    // Without a proof the server may still say yes; if it does not, its answer says why.
    return undefined
  }
}

function inWorker(challenge: Challenge): Promise<Work | undefined> {
  const worker = new Worker(new URL('./work.worker.ts', import.meta.url), { type: 'module' })
  return new Promise((resolve) => {
    const end = (work?: Work) => {
      clearTimeout(timer)
      worker.terminate()
      resolve(work)
    }
    const timer = setTimeout(end, patience)
    worker.onmessage = (event: MessageEvent<Work>) => end(event.data)
    worker.onerror = () => end()
    worker.postMessage(challenge)
  })
}
