/** The books while the datastore answers: it holds the truth, and the ledger follows it step by step. */

import { formatIpv4, type Ipv4 } from '@network/base/net/ipv4.ts'
import { Fault } from '@network/base/run/fault.ts'
import type { Clock } from '@network/base/time/clock.ts'
import { blockOf, ordinalFor, ordinalOf } from '@network/datastore/ipam/blocks.ts'
import type { Assignment, Ipam, Request, Taken } from '@network/datastore/ipam/ipam.ts'
import type { Turns } from '@network/datastore/ipam/turns.ts'
import type { Datastore, Options } from '@network/datastore/port.ts'
import { createOf, getOf, listOf, updateOf } from '@network/datastore/records.ts'
import { IP_POOL } from '@network/model/resources/ip-pool.ts'
import { IPAM_BLOCK, ipamBlockKey } from '@network/model/resources/ipam-block.ts'
import { WORKLOAD_ENDPOINT, type WorkloadEndpoint } from '@network/model/resources/workload-endpoint.ts'
import type { Books, Written } from '../workload/books.ts'
import { addressHandle, endpointOf, interfaceOf } from '../workload/names.ts'
import type { PodInterface } from '../workload/request.ts'
import type { Ledger, LedgerEntry } from './ledger.ts'
import type { Overlay } from './overlay.ts'

export interface BooksOptions {
  readonly node: string
  readonly store: Datastore
  readonly ipam: Ipam
  readonly ledger: Ledger
  readonly overlay: Overlay
  /** Of whoever gives or takes addresses, here or there. */
  readonly turns: Turns
  readonly clock: Clock
}

export class StoreBooks implements Books {
  readonly #options: BooksOptions

  constructor(options: BooksOptions) {
    this.#options = options
  }

  mustBeOpen(): void {
    // What the datastore can give, it says when it is asked.
  }

  async find(pod: PodInterface, signal: AbortSignal): Promise<WorkloadEndpoint | undefined> {
    const { store, node, ledger } = this.#options
    const key = WORKLOAD_ENDPOINT.keyOf(endpointOf(pod, node))
    return owedAt(ledger, key) ?? (await getOf(store, WORKLOAD_ENDPOINT, key, { signal }))?.value
  }

  async all(signal: AbortSignal): Promise<Written> {
    const { store, node, ledger } = this.#options
    const { read, junk } = await listOf(store, WORKLOAD_ENDPOINT, { signal })
    const stored = read.map(({ value }) => value).filter(endpoint => endpoint.node === node)
    const owed = ledger.living.flatMap(({ standing, endpoint }) => (standing === 'owed' ? (endpoint ?? []) : []))
    const keys = new Set(owed.map(WORKLOAD_ENDPOINT.keyOf))
    return {
      endpoints: [...owed, ...stored.filter(endpoint => !keys.has(WORKLOAD_ENDPOINT.keyOf(endpoint)))],
      junk: junk.map(({ key }) => key),
    }
  }

  async assign(request: Request): Promise<Ipv4> {
    const assigned = await this.take(request)
    if (assigned.is !== 'assigned') throw exhausted(this.#options.node, assigned)
    return assigned.address
  }

  /** An address of the datastore's that nobody here has, written down here too. */
  take(request: Request): Promise<Assignment> {
    const { ipam, ledger, turns, clock } = this.#options
    return turns.take(request.signal, async () => {
      const avoid = new Set([...ledger.entries.values()].flatMap(entry => addressOfOther(entry, request.handle)))
      const assigned = await ipam.assign({ ...request, avoid })
      if (assigned.is === 'assigned') {
        const { handle, use } = request
        ledger.put({ handle, use, address: assigned.address, standing: 'held', at: clock.wall().toISOString() })
      }
      return assigned
    })
  }

  async record(endpoint: WorkloadEndpoint, signal: AbortSignal): Promise<void> {
    const { ledger, clock } = this.#options
    await writeEndpoint(this.#options.store, endpoint, { signal })
    ledger.put(heldBy(endpoint, clock))
  }

  async erase(endpoint: WorkloadEndpoint, signal: AbortSignal): Promise<void> {
    await deleteEndpoint(this.#options.store, endpoint, { signal })
    // The datastore may never have had it.
    this.#options.overlay.hideShown(endpoint)
  }

  async release(handle: string, endpoint: WorkloadEndpoint, signal: AbortSignal): Promise<readonly Ipv4[]> {
    const released = await this.free(handle, endpoint.addresses, signal)
    this.#options.overlay.told(endpoint)
    return released
  }

  /** `known` are addresses that the handle is thought to have. */
  free(handle: string, known: readonly Ipv4[], signal: AbortSignal): Promise<readonly Ipv4[]> {
    const { ipam, ledger, turns } = this.#options
    return turns.take(signal, async () => {
      this.#leave(handle)
      const released = await ipam.release(handle, { signal, known })
      ledger.drop(handle)
      return released
    })
  }

  releaseUnused(spared: ReadonlySet<string>, signal: AbortSignal): Promise<readonly Taken[]> {
    const { ipam, ledger, turns } = this.#options
    return turns.take(signal, async () => {
      // Whoever has an endpoint here is not unused, whatever became of the one in the datastore.
      const used = new Set([
        ...spared,
        ...ledger.living.flatMap(({ handle, endpoint }) => (endpoint === undefined ? [] : [handle])),
      ])
      const unused = ledger.living.map(({ handle }) => handle).filter(handle => !used.has(handle))
      for (const handle of unused) this.#leave(handle)
      const released = await ipam.releaseUnused(used, { signal })
      for (const handle of unused) ledger.drop(handle)
      return released
    })
  }

  /** An address that is not the container's any more could be given to another pod. */
  async unassigned(endpoint: WorkloadEndpoint, signal: AbortSignal): Promise<readonly string[]> {
    const { store } = this.#options
    const handle = addressHandle(interfaceOf(endpoint))
    const { read: pools } = await listOf(store, IP_POOL, { signal })
    const isAssigned = async (address: Ipv4): Promise<boolean> => {
      for (const { value: pool } of pools) {
        const cidr = blockOf(pool, address)
        if (cidr === undefined) continue
        const block = await getOf(store, IPAM_BLOCK, ipamBlockKey(cidr), { signal })
        if (block !== undefined && ordinalFor(block.value, handle) === ordinalOf(cidr, address)) return true
      }
      return false
    }
    const problems: string[] = []
    for (const address of endpoint.addresses) if (!(await isAssigned(address))) problems.push(notAssigned(address, endpoint))
    return problems
  }

  /** Before the datastore is asked to free it: from then on nobody can say whether it has. */
  #leave(handle: string): void {
    const { ledger, clock } = this.#options
    const entry = ledger.entries.get(handle)
    if (entry !== undefined && entry.standing !== 'leaving')
      ledger.put({ ...entry, standing: 'leaving', at: clock.wall().toISOString() })
  }
}

export function notAssigned(address: Ipv4, { containerId }: WorkloadEndpoint): string {
  return `${formatIpv4(address)} is not assigned to container ${containerId}`
}

/** An entry for what the datastore has. */
export function heldBy(endpoint: WorkloadEndpoint, clock: Clock): LedgerEntry {
  const [address] = endpoint.addresses
  return {
    handle: addressHandle(interfaceOf(endpoint)),
    use: `${endpoint.namespace}/${endpoint.pod}`,
    standing: 'held',
    at: clock.wall().toISOString(),
    endpoint,
    ...(address === undefined ? {} : { address }),
  }
}

/** The endpoint that lives here at a key, and the datastore was not told of. */
function owedAt(ledger: Ledger, key: string): WorkloadEndpoint | undefined {
  return ledger.living.find(
    ({ standing, endpoint }) => standing === 'owed' && endpoint !== undefined && WORKLOAD_ENDPOINT.keyOf(endpoint) === key,
  )?.endpoint
}

function addressOfOther(entry: LedgerEntry, handle: string): Ipv4[] {
  return entry.address === undefined || entry.handle === handle ? [] : [entry.address]
}

/** Writes it, whatever is there. */
export async function writeEndpoint(store: Datastore, endpoint: WorkloadEndpoint, options: Options): Promise<void> {
  const present = await getOf(store, WORKLOAD_ENDPOINT, WORKLOAD_ENDPOINT.keyOf(endpoint), options)
  const outcome =
    present === undefined
      ? await createOf(store, WORKLOAD_ENDPOINT, endpoint, options)
      : await updateOf(
          store,
          WORKLOAD_ENDPOINT,
          { value: endpoint, revision: present.revision, document: present.document },
          options,
        )
  if (outcome.is === 'written') return
  const says = 'somebody else wrote it at the same time'
  throw new Fault('pod.race', { doing: 'write', on: WORKLOAD_ENDPOINT.keyOf(endpoint), says, mend: 'try again' })
}

/** Deletes it, whatever its revision. */
export async function deleteEndpoint(store: Datastore, endpoint: WorkloadEndpoint, options: Options): Promise<void> {
  const key = WORKLOAD_ENDPOINT.keyOf(endpoint)
  for (let entry = await store.get(key, options); entry !== undefined; entry = await store.get(key, options))
    if ((await store.delete(key, entry.revision, options)).is !== 'conflict') return
}

function exhausted(node: string, assignment: Exclude<Assignment, { is: 'assigned' }>): Fault {
  const act = { doing: 'give an address to', on: `a pod of node ${node}` }
  if (assignment.is === 'no-pool')
    return new Fault('ipam.no-pool', {
      ...act,
      says: 'there is no pool to take one from: none at all, or none that is open to this node',
      mend: 'create one: calictl ippool create default --cidr 10.244.0.0/16',
    })
  return new Fault('ipam.pools-full', {
    ...act,
    says: `no address is free in ${assignment.pools.join(', ')}`,
    mend: 'create a further pool, or see who holds addresses: calictl ipam show --blocks',
  })
}
