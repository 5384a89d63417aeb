/** The SharedWorker that all pages of a browser read their live streams through. */
import { aliveEvery, Switchboard, type PageMessage } from './share'

const board = new Switchboard()
setInterval(() => board.sweep(), aliveEvery)

const scope = globalThis as unknown as { onconnect: (event: MessageEvent) => void }
scope.onconnect = (event) => {
  const port = event.ports[0]
  if (!port) return
  port.onmessage = (e: MessageEvent<PageMessage>) => board.message(port, e.data)
}
