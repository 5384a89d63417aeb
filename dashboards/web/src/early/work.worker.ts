/** Solves challenges beside the page, which stays responsive meanwhile. */
import type { Challenge } from '@/api/types'
import { solve } from '@/lib/work'

const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<Challenge>) => void
  postMessage: (answer: unknown) => void
}
scope.onmessage = (event) => void solve(event.data, crypto.subtle).then((work) => scope.postMessage(work))
