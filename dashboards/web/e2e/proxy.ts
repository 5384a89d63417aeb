import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

/**
 * What the network between browser and platform does: `silent` keeps connections and passes nothing on, `refusing` resets
 * them, `cutting` resets each once it has passed on a few bytes of an answer.
 */
export type Weather = 'fair' | 'silent' | 'refusing' | 'cutting'

/** How much of an answer comes through while the weather is `cutting`, bytes: its head and the beginning of its body. */
const cutAfter = 900

/** A TCP proxy before the platform, to be a bad network. */
export class FaultyProxy {
  private weather: Weather = 'fair'
  private turned: () => void = () => undefined
  private turn = new Promise<void>((resolve) => (this.turned = resolve))
  private readonly sockets = new Set<Socket>()

  private constructor(
    private readonly server: Server,
    private readonly target: URL,
    /** How long each piece of an answer is held up, ms. */
    public delay = 0,
  ) {
    server.on('connection', (client) => void this.serve(client))
  }

  static async before(target: string): Promise<FaultyProxy> {
    const proxy = new FaultyProxy(createServer(), new URL(target))
    await once(proxy.server.listen(0, '127.0.0.1'), 'listening')
    return proxy
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  set(weather: Weather): void {
    this.weather = weather
    if (weather === 'refusing') this.reset()
    this.turned()
    this.turn = new Promise((resolve) => (this.turned = resolve))
  }

  close(): void {
    this.set('refusing')
    this.server.close()
  }

  private reset(): void {
    for (const socket of this.sockets) socket.resetAndDestroy()
  }

  private async serve(client: Socket): Promise<void> {
    if (this.weather === 'refusing') return void client.resetAndDestroy()
    const platform = connect(Number(this.target.port), this.target.hostname)
    for (const socket of [client, platform]) {
      this.sockets.add(socket)
      socket.on('close', () => this.sockets.delete(socket)).on('error', () => undefined)
    }
    await Promise.allSettled([this.pump(client, platform), this.pump(platform, client, true)])
    client.destroy()
    platform.destroy()
  }

  private async pump(from: Socket, to: Socket, answers = false): Promise<void> {
    for await (const chunk of from as AsyncIterable<Buffer>) {
      if (answers && this.delay > 0) await new Promise((resolve) => setTimeout(resolve, this.delay))
      while (this.weather === 'silent') await this.turn
      if (answers && this.weather === 'cutting') {
        to.write(chunk.subarray(0, cutAfter), () => to.resetAndDestroy())
        return
      }
      if (!to.write(chunk)) await once(to, 'drain')
    }
    to.end()
  }
}
