import { LiveConnection } from './connection'
import type { LiveChanges, LiveSource, LiveState, Tell } from './types'

/** What a page says to the worker. The token stays in memory: it never stands in a URL. */
export type PageMessage = { kind: 'open'; source: LiveSource } | { kind: 'alive' } | { kind: 'close' }

/** How often a page says that it is there, and how long the worker believes it, ms: browsers slow hidden pages down. */
export const aliveEvery = 20_000
export const aliveLimit = 180_000

/** What the worker says to a page. */
export interface WorkerMessage {
  state: LiveState
  changes?: LiveChanges
}

/** The half of a MessagePort that is needed here. */
export interface Port {
  postMessage(message: WorkerMessage): void
}

interface Shared {
  connection: LiveConnection
  ports: Set<Port>
}

/** Lets many pages share one connection a source: HTTP/1.1 allows six a browser and host. */
export class Switchboard {
  private readonly shared = new Map<string, Shared>()
  private readonly pages = new Map<Port, { key: string; seenAt: number }>()

  constructor(
    private readonly connect = (source: LiveSource, tell: Tell) => new LiveConnection(source, tell),
    private readonly now: () => number = Date.now,
  ) {}

  message(port: Port, message: PageMessage): void {
    const page = this.pages.get(port)
    if (message.kind === 'open') this.open(port, message.source)
    else if (message.kind === 'close') this.leave(port)
    else if (page) page.seenAt = this.now()
  }

  /** Lets go of pages that have not said anything for too long: a page that crashed says no goodbye. */
  sweep(): void {
    for (const [port, page] of this.pages) if (this.now() - page.seenAt > aliveLimit) this.leave(port)
  }

  private open(port: Port, source: LiveSource): void {
    this.leave(port)
    const key = JSON.stringify([source.url, source.token])
    this.pages.set(port, { key, seenAt: this.now() })
    const known = this.shared.get(key)
    if (known) {
      known.ports.add(port)
      const servers = [...known.connection.servers.values()]
      port.postMessage({ state: known.connection.state, changes: { reset: true, servers, gone: [] } })
      return
    }
    const ports = new Set([port])
    const connection = this.connect(source, (state, changes) => {
      ports.forEach((p) => p.postMessage({ state, changes }))
    })
    this.shared.set(key, { connection, ports })
    connection.open()
  }

  private leave(port: Port): void {
    const page = this.pages.get(port)
    const shared = page && this.shared.get(page.key)
    if (!page || !shared) return
    this.pages.delete(port)
    shared.ports.delete(port)
    if (shared.ports.size > 0) return
    shared.connection.close()
    this.shared.delete(page.key)
  }
}
