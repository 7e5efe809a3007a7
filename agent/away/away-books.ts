/** The books while the datastore is away: the ledger is all there is, and gives only what nobody else can have. */

import { formatIpv4, type Ipv4 } from '@network/base/net/ipv4.ts'
import { Fault } from '@network/base/run/fault.ts'
import type { Log } from '@network/base/run/log.ts'
import type { Clock } from '@network/base/time/clock.ts'
import type { Request, Taken } from '@network/datastore/ipam/ipam.ts'
import type { Turns } from '@network/datastore/ipam/turns.ts'
import type { WorkloadEndpoint } from '@network/model/resources/workload-endpoint.ts'
import type { DatastoreStatus } from '@network/model/status.ts'
import { type AwayFacts, type AwayVerdict, addressAway } from '../plan/away.ts'
import type { Books, Written } from '../workload/books.ts'
import { addressHandle, interfaceOf } from '../workload/names.ts'
import type { PodInterface } from '../workload/request.ts'
import { isAlive, type Ledger, type LedgerEntry, type Standing } from './ledger.ts'
import type { Overlay } from './overlay.ts'
import { heldBy, notAssigned } from './store-books.ts'

/** What was last seen, besides the ledger. */
export type LastSeen = Omit<AwayFacts, 'ledger' | 'isWhole'>

export interface AwayOptions {
  readonly node: string
  readonly ledger: Ledger
  readonly overlay: Overlay
  readonly turns: Turns
  readonly clock: Clock
  readonly log: Log
  readonly lastSeen: () => LastSeen
  readonly datastore: () => DatastoreStatus
}

export class AwayBooks implements Books {
  readonly #options: AwayOptions

  constructor(options: AwayOptions) {
    this.#options = options
  }

  /** What an ADD would be told at this moment. */
  verdict(): AwayVerdict {
    const { lastSeen, ledger } = this.#options
    return addressAway({ ...lastSeen(), ledger: ledger.entries, isWhole: ledger.isWhole })
  }

  mustBeOpen(): void {
    const verdict = this.verdict()
    if (verdict.is === 'refused') throw this.#unsafe(verdict.says)
  }

  async find({ namespace, pod, ifName }: PodInterface): Promise<WorkloadEndpoint | undefined> {
    this.#mustKnow()
    return this.#endpoints().findLast(one => one.namespace === namespace && one.pod === pod && one.endpoint === ifName)
  }

  async all(): Promise<Written> {
    this.#mustKnow()
    return { endpoints: this.#endpoints(), junk: [] }
  }

  assign({ handle, use, signal }: Request): Promise<Ipv4> {
    const { ledger, turns, log } = this.#options
    return turns.take(signal, async () => {
      const present = ledger.entries.get(handle)
      if (present?.address !== undefined) {
        // Its own from before: nobody else can have it.
        if (!isAlive(present)) ledger.put({ handle, use, address: present.address, standing: 'owed', at: this.#now() })
        return present.address
      }
      const verdict = this.verdict()
      if (verdict.is === 'refused') throw this.#unsafe(verdict.says)
      const { address } = verdict
      ledger.put({ handle, use, address, standing: 'owed', at: this.#now() })
      log.info('address given without the datastore, which will be told', {
        address: formatIpv4(address),
        use,
        pool: verdict.pool,
      })
      return address
    })
  }

  async record(endpoint: WorkloadEndpoint): Promise<void> {
    const { ledger, overlay, clock } = this.#options
    ledger.put({ ...heldBy(endpoint, clock), standing: 'owed' })
    overlay.show(endpoint)
  }

  async erase(endpoint: WorkloadEndpoint): Promise<void> {
    this.#mustKnow()
    this.#leave(addressHandle(interfaceOf(endpoint)), endpoint)
    this.#options.overlay.hide(endpoint)
  }

  /** No pod has it any more, and nobody gets it before the datastore knows. */
  async release(handle: string, endpoint: WorkloadEndpoint): Promise<readonly Ipv4[]> {
    this.#mustKnow()
    const address = this.#leave(handle, endpoint).address
    return address === undefined ? [] : [address]
  }

  /** What nobody answers for is found when the datastore is back. */
  async releaseUnused(): Promise<readonly Taken[]> {
    return []
  }

  async unassigned(endpoint: WorkloadEndpoint): Promise<readonly string[]> {
    this.#mustKnow()
    const entry = this.#options.ledger.entries.get(addressHandle(interfaceOf(endpoint)))
    const has = entry !== undefined && isAlive(entry) ? entry.address : undefined
    return endpoint.addresses.filter(address => address !== has).map(address => notAssigned(address, endpoint))
  }

  /** Also for what is not known here: the datastore may know of it by a write that was never answered. */
  #leave(handle: string, endpoint: WorkloadEndpoint): LedgerEntry {
    const { ledger } = this.#options
    const present = ledger.entries.get(handle)
    const entry: LedgerEntry = {
      ...{ handle, use: `${endpoint.namespace}/${endpoint.pod}`, endpoint },
      ...present,
      ...{ standing: standingAfter(present?.standing), at: this.#now() },
    }
    ledger.put(entry)
    return entry
  }

  #endpoints(): readonly WorkloadEndpoint[] {
    return this.#options.ledger.living.flatMap(({ endpoint }) => endpoint ?? [])
  }

  /** A pod that the ledger lacks could lose what it has to one that nobody knows is there. */
  #mustKnow(): void {
    const { ledger } = this.#options
    if (!ledger.isWhole) throw this.#unsafe('what this node has was never compared with it')
  }

  #unsafe(says: string): Fault {
    const { node, datastore } = this.#options
    const { since, error } = datastore()
    return new Fault('datastore.stale', {
      doing: 'attach or detach a pod of',
      on: `node ${node}`,
      says: `the datastore has not answered since ${since} (${error ?? 'no reason known'}), and without it that is not safe: ${says}`,
      mend: 'pods that are there go on; try again when it is back',
    })
  }

  #now(): string {
    return this.#options.clock.wall().toISOString()
  }
}

function standingAfter(before: Standing | undefined): Standing {
  return before === 'held' || before === 'left' ? 'left' : 'leaving'
}
