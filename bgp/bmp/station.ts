/** The connection to one monitoring station: made again when it breaks, bounded when the station is slow. RFC 7854 §3.2. */
import { connect, type Socket } from 'node:net'
import type { Log } from '@network/base/run/log.ts'
import { backoff } from '@network/base/time/backoff.ts'
import type { Cancel, Clock, Random } from '@network/base/time/clock.ts'
import { after, type Millis, millis } from '@network/base/time/units.ts'
import type { Audience, Monitor, UpPeer } from './monitor.ts'

export interface StationConfig {
  readonly host: string
  readonly port: number
  /** Between two reports of statistics; undefined: none. */
  readonly statisticsEvery: Millis | undefined
}

export interface StationTools {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

const RETRY = { base: millis(1000), cap: millis(60_000) }
/** A station that lets more than this wait, in octets, is dropped, and told everything anew when it comes back. */
const MOST_WAITING = 64 * 1024 * 1024

export class Station implements Audience {
  readonly #config: StationConfig
  readonly #monitor: Monitor
  readonly #tools: StationTools
  #socket: Socket | undefined
  #leave: (() => void) | undefined
  #retry: Cancel | undefined
  #statistics: Cancel | undefined
  #failures = 0
  #stopped = false
  #queue: Uint8Array[] = []
  #waiting = 0
  /** Peers whose table the station has yet to be told, in the order in which they came. */
  readonly #newcomers = new Set<UpPeer>()

  constructor(config: StationConfig, monitor: Monitor, tools: StationTools) {
    this.#config = config
    this.#monitor = monitor
    this.#tools = tools
  }

  start(): void {
    const { host, port } = this.#config
    const socket = connect({ host, port, noDelay: true })
    this.#socket = socket
    socket.on('connect', () => this.#connected())
    socket.on('drain', () => this.#flush())
    // A station has nothing to say; what it says is not read further.
    socket.on('data', () => undefined)
    socket.on('error', cause => this.#tools.log.debug('BMP station', { station: `${host}:${port}`, why: cause.message }))
    socket.on('close', () => this.#lost(socket))
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#retry?.()
    const socket = this.#socket
    if (socket === undefined) return
    if (this.#leave !== undefined) socket.write(this.#monitor.farewell())
    this.#forget()
    const closed = new Promise(resolve => socket.once('close', resolve))
    socket.end()
    // A station that does not read would keep us.
    const giveUp = this.#tools.clock.wakeAt(after(this.#tools.clock.now(), millis(1000)), () => socket.destroy())
    if (!socket.destroyed) await closed
    giveUp()
  }

  tell(message: Uint8Array, about: UpPeer | undefined): void {
    // The table of a newcomer, when it is told, holds this already.
    if (about !== undefined && this.#newcomers.has(about)) return
    this.#push(message)
    this.#flush()
  }

  welcome(peer: UpPeer): void {
    this.#newcomers.add(peer)
    this.#flush()
  }

  #connected(): void {
    this.#failures = 0
    this.#tools.log.info('BMP station connected', { station: `${this.#config.host}:${this.#config.port}` })
    this.#leave = this.#monitor.join(this)
    this.#reportLater()
    this.#flush()
  }

  #reportLater(): void {
    const { statisticsEvery } = this.#config
    if (statisticsEvery === undefined) return
    const { clock } = this.#tools
    this.#statistics = clock.wakeAt(after(clock.now(), statisticsEvery), () => {
      this.#monitor.reportStatistics()
      this.#reportLater()
    })
  }

  #push(message: Uint8Array): void {
    this.#queue.push(message)
    this.#waiting += message.length
    if (this.#waiting <= MOST_WAITING) return
    this.#tools.log.warn('BMP station is too slow: dropped, and told everything anew later', {
      station: `${this.#config.host}:${this.#config.port}`,
    })
    this.#socket?.destroy()
    this.#forget()
  }

  /** As much as the socket takes; a newcomer's table when nothing else waits. */
  #flush(): void {
    const socket = this.#socket
    if (socket === undefined || socket.destroyed || this.#leave === undefined) return
    while (!socket.writableNeedDrain) {
      if (this.#queue.length === 0) {
        const [newcomer] = this.#newcomers
        if (newcomer === undefined) return
        this.#newcomers.delete(newcomer)
        if (this.#monitor.isUp(newcomer)) for (const message of this.#monitor.tableOf(newcomer)) this.#push(message)
        continue
      }
      const all = Buffer.concat(this.#queue.splice(0))
      this.#waiting = 0
      socket.write(all)
    }
  }

  #lost(socket: Socket): void {
    if (this.#socket !== socket) return
    this.#socket = undefined
    this.#forget()
    if (this.#stopped) return
    const { clock, random } = this.#tools
    this.#retry = clock.wakeAt(after(clock.now(), backoff(this.#failures++, RETRY, random)), () => this.start())
  }

  #forget(): void {
    this.#leave?.()
    this.#leave = undefined
    this.#statistics?.()
    this.#queue = []
    this.#waiting = 0
    this.#newcomers.clear()
  }
}
