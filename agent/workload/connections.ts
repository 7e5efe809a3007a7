/** Sees that an address which a pod gets has none of the connections of a pod before it. */

import type { Ipv4 } from '@network/base/net/ipv4.ts'
import { reasonOf } from '@network/base/run/fault.ts'
import type { Log } from '@network/base/run/log.ts'
import { Conntrack } from '@network/netlink/conntrack.ts'

export interface ConnectionsOptions {
  /** Ends what the kernel tracks of every address that the question is answered yes for. */
  readonly forget: (isMeant: (address: Ipv4) => boolean) => Promise<unknown>
  /** Addresses that pods of this node may get, and those that they have, as far as the datastore told. */
  readonly ownAddresses: () => Iterable<Ipv4>
  readonly inUse: () => Iterable<Ipv4>
}

export type Forgetter = Pick<Conntrack, 'forget'> & Disposable

/** Of this network namespace; one that forgets nothing where the kernel cannot be asked. */
export function systemForgetter(log: Log, open: () => Forgetter = () => Conntrack.open()): Forgetter {
  try {
    return open()
  } catch (reason) {
    log.warn('connections of former pods cannot be forgotten', { why: reasonOf(reason) })
    return { forget: async () => 0, [Symbol.dispose]: () => undefined }
  }
}

/**
 * To look at all that is tracked takes the kernel ten milliseconds, however little it is; so a look that one address needs serves all that are
 * free. A free address stays clean: what is sent to it ends in its block's route, and only what gets further is tracked.
 */
export class Connections {
  readonly #options: ConnectionsOptions
  readonly #clean = new Set<Ipv4>()
  /** Given out in this life: the datastore's news of it may be on their way. */
  readonly #given = new Set<Ipv4>()
  #looking: Promise<void> | undefined

  constructor(options: ConnectionsOptions) {
    this.#options = options
  }

  /** Resolves when a pod may have the address. */
  async beforeUse(address: Ipv4): Promise<void> {
    // A look that began before serves this address as well, if it was free then.
    while (!this.#clean.has(address)) {
      if (this.#looking === undefined) this.#looking = this.#sweep(address).finally(() => (this.#looking = undefined))
      await this.#looking
    }
    this.#clean.delete(address)
    this.#given.add(address)
  }

  /** Blocks come and go: an address that is not ours meanwhile may be spoken with, and is looked at again when it comes back. */
  ownAddressesChanged(): void {
    const own = new Set(this.#options.ownAddresses())
    for (const address of this.#clean) if (!own.has(address)) this.#clean.delete(address)
  }

  /** Call when no pod has the address any more. */
  afterUse(address: Ipv4): void {
    this.#given.delete(address)
    this.#clean.delete(address)
  }

  async #sweep(wanted: Ipv4): Promise<void> {
    const { forget, inUse, ownAddresses } = this.#options
    const used = new Set([...inUse(), ...this.#given])
    const free = new Set([...ownAddresses()].filter(address => !used.has(address)))
    free.add(wanted)
    await forget(address => free.has(address))
    for (const address of free) this.#clean.add(address)
  }
}
