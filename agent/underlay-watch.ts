/** Follows the NIC and the address that the node is reached by, and is not moved by an address that is away for a moment. */

import { formatIpv4 } from '@network/base/net/ipv4.ts'
import { reasonOf } from '@network/base/run/fault.ts'
import type { Log } from '@network/base/run/log.ts'
import type { Clock } from '@network/base/time/clock.ts'
import { after, millis } from '@network/base/time/units.ts'
import type { NetlinkClient } from '@network/netlink/client.ts'
import type { AddressMethod } from './address-method.ts'
import { type Choice, chooseAgain, sameUnderlay } from './underlay.ts'

export interface UnderlayWatchOptions {
  readonly netlink: NetlinkClient
  readonly method: AddressMethod
  readonly first: Choice
  readonly clock: Clock
  readonly log: Log
  /** The same address, with another NIC, subnet or MTU. */
  readonly changed: () => void
  /** Another address. */
  readonly moved: (from: string, to: string) => void
}

/** An address that is set anew, by DHCP or by whoever configures the network, is away for less. */
const GRACE = millis(5000)

export class UnderlayWatch {
  readonly #options: UnderlayWatchOptions
  #choice: Choice
  /** Why the underlay is not as it was chosen; undefined when it is. */
  #trouble: string | undefined
  /** Nothing else is chosen until it is over; a timer may ring a little before its time, so that it tells, and not the clock. */
  #patience: { isOver: boolean } | undefined
  #stopped = false

  constructor(options: UnderlayWatchOptions) {
    this.#options = options
    this.#choice = options.first
  }

  get choice(): Choice {
    return this.#choice
  }

  get trouble(): string | undefined {
    return this.#trouble
  }

  stop(): void {
    this.#stopped = true
  }

  /** Call when an interface or an address changed. */
  look(): void {
    if (this.#stopped) return
    const { netlink, method, log, changed, moved } = this.#options
    const patient = this.#patience?.isOver !== true
    let choice: Choice
    try {
      choice = chooseAgain(netlink, method, this.#choice, patient)
    } catch (reason) {
      // The NIC is away for a moment or for good: what was planned for it is right again when it is back.
      this.#away(reasonOf(reason))
      return
    }
    if (this.#trouble !== undefined) log.info('underlay is back', { address: formatIpv4(choice.underlay.address) })
    this.#trouble = undefined
    this.#patience = undefined
    if (sameUnderlay(choice.underlay, this.#choice.underlay)) return
    const former = this.#choice.underlay.address
    this.#choice = choice
    log.info('underlay changed', { ...choice.underlay, chosenBy: choice.from })
    if (choice.underlay.address === former) changed()
    else moved(formatIpv4(former), formatIpv4(choice.underlay.address))
  }

  #away(why: string): void {
    const { clock, log } = this.#options
    const trouble = `the underlay is gone: ${why}`
    if (trouble !== this.#trouble) log.warn('underlay gone; what was planned for it stays', { why })
    this.#trouble = trouble
    if (this.#patience !== undefined) return
    const patience = { isOver: false }
    this.#patience = patience
    clock.wakeAt(after(clock.now(), GRACE), () => {
      patience.isOver = true
      this.look()
    })
  }
}
