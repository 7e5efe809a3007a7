/** What lives here and what is gone from here before the datastore knows it: laid over what the datastore says. */

import type { Clock } from '@network/base/time/clock.ts'
import { after, type Instant, millis } from '@network/base/time/units.ts'
import { WORKLOAD_ENDPOINT, type WorkloadEndpoint } from '@network/model/resources/workload-endpoint.ts'
import type { LedgerEntry } from './ledger.ts'

type Endpoints = ReadonlyMap<string, WorkloadEndpoint>

interface Item {
  readonly is: 'shown' | 'hidden'
  readonly endpoint: WorkloadEndpoint
  /** Until when news of the datastore are waited for, once it was told; then its word counts. */
  readonly until?: Instant
}

const PATIENCE = millis(10_000)

export class Overlay {
  readonly #clock: Clock
  readonly #changed: () => void
  /** By datastore key. */
  readonly #items = new Map<string, Item>()
  #laid: { readonly base: Endpoints; readonly over: Endpoints } | undefined

  /** `changed` hears of every change of what is laid over. */
  constructor(clock: Clock, entries: Iterable<LedgerEntry>, changed: () => void) {
    this.#clock = clock
    this.#changed = changed
    const all = [...entries].flatMap(({ standing, endpoint }) => (endpoint === undefined ? [] : [{ standing, endpoint }]))
    for (const { standing, endpoint } of all) if (standing === 'left' || standing === 'leaving') this.#put('hidden', endpoint)
    for (const { standing, endpoint } of all) if (standing === 'owed') this.#put('shown', endpoint)
  }

  /** The endpoint is there, whatever the datastore says. */
  show(endpoint: WorkloadEndpoint): void {
    this.#put('shown', endpoint)
    this.#changed()
  }

  /** The endpoint is gone, unless another container has its place. */
  hide(endpoint: WorkloadEndpoint): void {
    const present = this.#items.get(WORKLOAD_ENDPOINT.keyOf(endpoint))
    if (present?.is === 'shown' && present.endpoint.containerId !== endpoint.containerId) return
    this.#put('hidden', endpoint)
    this.#changed()
  }

  /** The endpoint is gone, where it was there only by what is laid over. */
  hideShown(endpoint: WorkloadEndpoint): void {
    const present = this.#items.get(WORKLOAD_ENDPOINT.keyOf(endpoint))
    if (present?.is === 'shown' && present.endpoint.containerId === endpoint.containerId) this.hide(endpoint)
  }

  /** The datastore knows it as it is here: what is laid over goes when its news have come. */
  told(endpoint: WorkloadEndpoint): void {
    const key = WORKLOAD_ENDPOINT.keyOf(endpoint)
    const present = this.#items.get(key)
    if (present?.endpoint.containerId === endpoint.containerId)
      this.#items.set(key, { ...present, until: after(this.#clock.now(), PATIENCE) })
  }

  /** What the datastore says, with what is known better here. */
  over(base: Endpoints): Endpoints {
    this.#settle(base)
    if (this.#items.size === 0) return base
    if (this.#laid?.base !== base) this.#laid = { base, over: this.#lay(base) }
    return this.#laid.over
  }

  /** The datastore's news have come. */
  baseChanged(): void {
    this.#laid = undefined
  }

  #put(is: Item['is'], endpoint: WorkloadEndpoint): void {
    this.#items.set(WORKLOAD_ENDPOINT.keyOf(endpoint), { is, endpoint })
    this.#laid = undefined
  }

  #settle(base: Endpoints): void {
    for (const [key, { is, endpoint, until }] of this.#items) {
      if (until === undefined) continue
      const isThere = base.get(key)?.containerId === endpoint.containerId
      if (isThere !== (is === 'shown') && this.#clock.now() < until) continue
      this.#items.delete(key)
      this.#laid = undefined
    }
  }

  #lay(base: Endpoints): Endpoints {
    const over = new Map(base)
    for (const [key, { is, endpoint }] of this.#items)
      if (is === 'shown') over.set(key, endpoint)
      else if (over.get(key)?.containerId === endpoint.containerId) over.delete(key)
    return over
  }
}
