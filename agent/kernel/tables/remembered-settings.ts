/** Settings of which the kernel tells when they change are read again when it does, and all of them now and then. */

import type { Clock } from '@network/base/time/clock.ts'
import { between, type Instant, millis } from '@network/base/time/units.ts'
import type { IfIndex, Link } from '@network/netlink/link.ts'
import type { Change, KernelEvent } from '@network/netlink/monitor.ts'
import type { Outcome } from '../table.ts'
import type { Settings } from './sysctls.ts'

/** With the audits of the kernel every half minute, all is read once a minute at least. The kernel does not tell of route_localnet and proxy_delay. */
const GOOD_FOR = millis(25_000)

export interface RememberOptions {
  readonly clock: Clock
  readonly nameOf: (index: IfIndex) => string | undefined
}

/** A thousand pods have five thousand settings, and a pass over the kernel's tables follows every change. */
export class RememberedSettings implements Settings {
  readonly #settings: Settings
  readonly #clock: Clock
  readonly #nameOf: RememberOptions['nameOf']
  /** By the interface that they are of; those of none under the empty name. */
  readonly #known = new Map<string, Map<string, { readonly value: string; readonly at: Instant }>>()
  readonly #names = new Map<IfIndex, string>()

  /** `nameOf` knows every interface that was there before its settings were read. */
  constructor(settings: Settings, { clock, nameOf }: RememberOptions) {
    this.#settings = settings
    this.#clock = clock
    this.#nameOf = nameOf
  }

  read(path: string): string | undefined {
    const known = this.#known.get(deviceOf(path))?.get(path)
    if (known !== undefined && between(known.at, this.#clock.now()) < GOOD_FOR) return known.value
    const value = this.#settings.read(path)
    if (value === undefined) this.#known.get(deviceOf(path))?.delete(path)
    else this.#remember(path, value)
    return value
  }

  /** What was written is read back, not believed. */
  write(path: string, value: string): Outcome {
    // One setting may turn others: ip_forward those of all interfaces.
    this.#known.clear()
    return this.#settings.write(path, value)
  }

  below(path: string): readonly string[] {
    return this.#settings.below(path)
  }

  /** Something changed in the kernel: what it may be about is read again. */
  heard(event: KernelEvent): void {
    if (event.is === 'link') this.#heardLink(event.change, event.link)
    else if (event.is === 'netconf') {
      const { of } = event.netconf
      // Nothing was read yet of an interface that was never listed: its own news come still.
      const name = typeof of === 'string' ? undefined : this.#nameOf(of)
      if (typeof of === 'string') this.#known.clear()
      else if (name !== undefined) this.#known.delete(name)
    } else if (event.is === 'overrun') this.#known.clear()
  }

  /** An interface that is made or renamed has other settings; one that goes up or down has the same. */
  #heardLink(change: Change, { index, name }: Pick<Link, 'index' | 'name'>): void {
    if (change === 'new' && this.#names.get(index) === name) return
    this.#known.delete(name)
    if (change === 'new') this.#names.set(index, name)
    else this.#names.delete(index)
  }

  #remember(path: string, value: string): void {
    const device = deviceOf(path)
    const known = this.#known.get(device) ?? new Map()
    known.set(path, { value, at: this.#clock.now() })
    this.#known.set(device, known)
  }
}

/** `net/ipv4/conf/<device>/…`, `net/ipv4/neigh/<device>/…`. */
function deviceOf(path: string): string {
  const [, , kind, device] = path.split('/')
  return (kind === 'conf' || kind === 'neigh') && device !== undefined ? device : ''
}
