import { LiveConnection } from './connection'
import { aliveEvery, type PageMessage, type WorkerMessage } from './share'
import type { LiveSource, Tell } from './types'

/** Follows a source until the returned function is called: through the shared worker, or alone where there is none. */
export function openLive(source: LiveSource, tell: Tell): () => void {
  return typeof SharedWorker === 'undefined' ? direct(source, tell) : shared(source, tell)
}

function direct(source: LiveSource, tell: Tell): () => void {
  const connection = new LiveConnection(source, tell)
  connection.open()
  return () => connection.close()
}

function shared(source: LiveSource, tell: Tell): () => void {
  const worker = new SharedWorker(new URL('./worker.ts', import.meta.url), { type: 'module', name: 'live' })
  const { port } = worker
  const say = (message: PageMessage) => port.postMessage(message)
  // A worker that cannot start must not cost the page its figures.
  let close = () => {
    say({ kind: 'close' })
    clearInterval(alive)
    port.close()
  }
  worker.onerror = () => {
    close()
    close = direct(source, tell)
  }
  const alive = setInterval(() => say({ kind: 'alive' }), aliveEvery)
  port.onmessage = ({ data }: MessageEvent<WorkerMessage>) => tell(data.state, data.changes)
  say({ kind: 'open', source })
  return () => close()
}
