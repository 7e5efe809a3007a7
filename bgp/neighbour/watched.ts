/** BFD of one neighbour, as its settings want it. */
import { isDeepStrictEqual } from 'node:util'
import type { BfdMonitor, BfdPeer, BfdStatus, Watching } from '../bfd/monitor.ts'
import type { PeerConfig } from '../options.ts'
import type { SessionTools } from '../session/peer-session.ts'
import type { Endpoint } from '../session/transport.ts'

export interface PathListener {
  pathUp(): void
  /** `independent`: BFD of the peer does not end with its control plane. */
  pathDown(why: string, independent: boolean): void
}

export class Watched {
  readonly #monitor: BfdMonitor | undefined
  readonly #from: SessionTools['from']
  readonly #listener: PathListener
  #watching: { readonly peer: BfdPeer; readonly isStrict: boolean; readonly by: Watching } | undefined

  constructor(monitor: BfdMonitor | undefined, from: SessionTools['from'], listener: PathListener) {
    this.#monitor = monitor
    this.#from = from
    this.#listener = listener
  }

  /** False while BFD is insisted on and not up. */
  get mayMeet(): boolean {
    return this.#watching === undefined || !this.#watching.isStrict || this.#watching.by.isUp()
  }

  /** Begins, ends or begins anew, as the settings have it; nowhere while nobody knows where the peer is. */
  follow({ localAddress, device, bfd }: PeerConfig, at: Endpoint | undefined): void {
    if (bfd === undefined || this.#monitor === undefined || at === undefined) {
      this.stop()
      return
    }
    const { strict, ...settings } = bfd
    const { address, zone } = at
    const from = localAddress ?? this.#from(at)
    const peer: BfdPeer = { address, ...(zone === undefined ? {} : { zone }), from, device, settings }
    const known = this.#watching
    if (isDeepStrictEqual(known?.peer, peer) && known !== undefined) {
      this.#watching = { ...known, isStrict: strict === true }
      return
    }
    this.stop()
    const by = this.#monitor.watch(peer, {
      up: () => this.#listener.pathUp(),
      down: (why, independent) => this.#listener.pathDown(why, independent),
    })
    this.#watching = { peer, isStrict: strict === true, by }
  }

  stop(): void {
    this.#watching?.by.stop()
    this.#watching = undefined
  }

  status(): BfdStatus | null {
    return this.#watching?.by.status() ?? null
  }
}
