/** The datastore is back: it is told what came and went here meanwhile, and the ledger is compared with it. */

import { formatIpv4 } from '@network/base/net/ipv4.ts'
import { formatPrefix } from '@network/base/net/prefix.ts'
import { Fault, reasonOf } from '@network/base/run/fault.ts'
import type { Log } from '@network/base/run/log.ts'
import type { Clock } from '@network/base/time/clock.ts'
import type { Adopted } from '@network/datastore/ipam/adopt.ts'
import type { Ipam } from '@network/datastore/ipam/ipam.ts'
import type { Datastore } from '@network/datastore/port.ts'
import { getOf } from '@network/datastore/records.ts'
import { isRecord, keyPrefixOf } from '@network/model/resources/kind.ts'
import { NODE, nodeKey } from '@network/model/resources/node.ts'
import { WORKLOAD_ENDPOINT, type WorkloadEndpoint } from '@network/model/resources/workload-endpoint.ts'
import { addressHandle, interfaceOf } from '../workload/names.ts'
import { isAlive, type Ledger, type LedgerEntry } from './ledger.ts'
import type { Overlay } from './overlay.ts'
import { deleteEndpoint, heldBy, writeEndpoint } from './store-books.ts'

export interface SettleOptions {
  readonly node: string
  readonly store: Datastore
  readonly ipam: Ipam
  readonly ledger: Ledger
  readonly overlay: Overlay
  /** Tells this machine from another of the node's name. */
  readonly id: string
  /** Whether the endpoint's interface is in the kernel. */
  readonly isWired: (endpoint: WorkloadEndpoint) => boolean
  readonly clock: Clock
  readonly log: Log
}

/** What somebody should know of the time without the datastore. */
export interface Notice {
  /** RFC 3339. */
  readonly at: string
  /** The address. */
  readonly about: string
  readonly says: string
}

export interface Settled {
  /** What could not be written, for somebody is in the way. Tried again later. */
  readonly conflicts: readonly Notice[]
  /** What was written otherwise than it was thought to be. */
  readonly mended: readonly Notice[]
}

/**
 * Call it while nobody gives or takes addresses of this node. What lives here comes first, lest its block be given up with what went. Rejects
 * where the datastore goes again; what was told by then is not told twice.
 */
export async function settle(options: SettleOptions, signal: AbortSignal): Promise<Settled> {
  const { ledger } = options
  const conflicts: Notice[] = []
  const mended: Notice[] = []
  for (const { is, ...notice } of await tellOwed(options, signal)) (is === 'conflict' ? conflicts : mended).push(notice)
  for (const entry of ledger.unwritten) {
    if (isAlive(entry)) continue
    try {
      await forget(options, entry, signal)
    } catch (reason) {
      const { is: _, ...notice } = noticeOf(options, entry, unwritable(reason))
      conflicts.push(notice)
    }
  }
  await compare(options, signal)
  return { conflicts, mended }
}

type Told = Notice & { readonly is: 'conflict' | 'mended' }

async function tellOwed(options: SettleOptions, signal: AbortSignal): Promise<readonly Told[]> {
  const told: Told[] = []
  const owed = options.ledger.unwritten.filter(isAlive)
  if (owed.length === 0) return told
  const stranger = await notOurs(options, signal)
  const { read } = await ownEndpoints(options, signal)
  const inStore = new Set(read.map(endpoint => addressHandle(interfaceOf(endpoint))))
  for (const entry of owed) {
    if (stranger !== undefined) {
      told.push(noticeOf(options, entry, { is: 'conflict', says: stranger }))
      continue
    }
    try {
      const notice = await tell(options, entry, inStore, signal)
      if (notice !== undefined) told.push(noticeOf(options, entry, notice))
    } catch (reason) {
      told.push(noticeOf(options, entry, unwritable(reason)))
    }
  }
  return told
}

/** Troubles of one document, which do not keep the others from being written. */
const ITS_OWN: ReadonlySet<string> = new Set(['datastore.unreadable', 'datastore.contended', 'datastore.too-large', 'pod.race'])

function unwritable(reason: unknown): Outcome {
  if (!(reason instanceof Fault) || !ITS_OWN.has(reason.code)) throw reason
  return { is: 'conflict', says: `it cannot be written to the datastore: ${reasonOf(reason)}` }
}

/** Why nothing may be written in the name of this node; undefined where it may. */
async function notOurs({ store, node, id }: SettleOptions, signal: AbortSignal): Promise<string | undefined> {
  const self = await getOf(store, NODE, nodeKey(node), { signal })
  if (self?.value.id === id) return undefined
  return self === undefined
    ? `node ${node} was deleted from the datastore; restart its agent to register it again, or delete the pod`
    : `node ${node} is machine ${self.value.id} in the datastore by now; delete the pod`
}

type Outcome = Pick<Told, 'is' | 'says'>

/** Undefined where all is as it was meant to be. */
async function tell(
  options: SettleOptions,
  { handle, use, address, endpoint }: LedgerEntry,
  inStore: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<Outcome | undefined> {
  const { store, ipam, ledger, overlay, clock, log } = options
  if (address === undefined || endpoint === undefined) return undefined
  // A write that was never answered may have given the same container another address.
  const taken = await ipam.held({ signal })
  if (taken.some(one => one.handle === handle && one.address !== address)) await ipam.release(handle, { signal })
  const isLeftover = ({ handle: other }: { readonly handle: string }) => !isLiving(ledger, other) && !inStore.has(other)
  const adopted = await ipam.adopt({ handle, use, address, isLeftover, signal })
  if (adopted.is !== 'adopted') return inTheWay(adopted)
  await writeEndpoint(store, endpoint, { signal })
  ledger.put(heldBy(endpoint, clock))
  overlay.told(endpoint)
  log.info('pod written to the datastore, which was away when it came', { use, address: formatIpv4(address) })
  if (adopted.lender === undefined) return undefined
  return {
    is: 'mended',
    says: `its block ${formatPrefix(adopted.block)} is node ${adopted.lender}'s by now: the address is kept there and announced by itself; make the pod anew when it suits`,
  }
}

function inTheWay(adopted: Exclude<Adopted, { is: 'adopted' }>): Outcome {
  if (adopted.is === 'no-pool')
    return { is: 'conflict', says: 'it lies in no pool any more; create the pool again, or delete the pod' }
  const { use, node, handle } = adopted.by
  return {
    is: 'conflict',
    says: `the datastore gave it to ${use} of node ${node} meanwhile (${handle}); delete one of the two, and it is settled`,
  }
}

function noticeOf({ clock }: SettleOptions, { use, address, handle, at }: LedgerEntry, { is, says }: Outcome): Told {
  const about = address === undefined ? use : formatIpv4(address)
  return {
    is,
    at: clock.wall().toISOString(),
    about,
    says: `${about} of pod ${use} here (${handle}, since ${at}, while the datastore was away): ${says}`,
  }
}

/** What is gone from here goes from the datastore. */
async function forget({ store, ipam, ledger, overlay }: SettleOptions, entry: LedgerEntry, signal: AbortSignal): Promise<void> {
  const { handle, address, endpoint, standing } = entry
  // From the next line on nobody can say what the datastore has.
  if (standing === 'left') ledger.put({ ...entry, standing: 'leaving' })
  if (endpoint !== undefined) {
    const stored = await getOf(store, WORKLOAD_ENDPOINT, WORKLOAD_ENDPOINT.keyOf(endpoint), { signal })
    if (stored?.value.containerId === endpoint.containerId) await deleteEndpoint(store, endpoint, { signal })
  }
  await ipam.release(handle, { signal, known: address === undefined ? [] : [address] })
  ledger.drop(handle)
  if (endpoint !== undefined) overlay.told(endpoint)
}

/** From here on the ledger names all that the datastore says this node has, and nothing else that is gone. */
async function compare(options: SettleOptions, signal: AbortSignal): Promise<void> {
  const { ipam, ledger, clock, isWired } = options
  const { read: endpoints, junk } = await ownEndpoints(options, signal)
  const allocations = await ipam.held({ signal })
  const at = clock.wall().toISOString()
  const stored = new Map(endpoints.map(endpoint => [addressHandle(interfaceOf(endpoint)), endpoint]))
  const taken = new Map(allocations.map(one => [one.handle, one]))
  const news = [
    ...[...stored].filter(([handle]) => !ledger.entries.has(handle)).map(([, endpoint]) => heldBy(endpoint, clock)),
    ...allocations
      .filter(({ handle }) => !stored.has(handle) && !ledger.entries.has(handle))
      .map(({ handle, use, address }): LedgerEntry => ({ handle, use, address, standing: 'held', at })),
  ]
  ledger.putAll(news)
  if (junk > 0) return
  for (const { handle, standing, endpoint } of ledger.entries.values()) {
    if (standing !== 'held' || stored.has(handle)) continue
    if (endpoint === undefined ? !taken.has(handle) : !isWired(endpoint)) ledger.drop(handle)
  }
  ledger.beWhole()
}

function isLiving(ledger: Ledger, handle: string): boolean {
  const entry = ledger.entries.get(handle)
  return entry !== undefined && isAlive(entry)
}

/** Of a large cluster only what may be this node's is read. */
async function ownEndpoints(
  { store, node }: SettleOptions,
  signal: AbortSignal,
): Promise<{ readonly read: readonly WorkloadEndpoint[]; readonly junk: number }> {
  const { entries } = await store.list(keyPrefixOf(WORKLOAD_ENDPOINT.plural), { signal })
  const read: WorkloadEndpoint[] = []
  let junk = 0
  for (const { key, document } of entries) {
    const named = isRecord(document) && isRecord(document['spec']) ? document['spec']['node'] : undefined
    if (typeof named === 'string' && named !== node) continue
    const parsed = WORKLOAD_ENDPOINT.parseStored(document)
    if (parsed.ok && WORKLOAD_ENDPOINT.keyOf(parsed.value) === key) read.push(parsed.value)
    else junk++
  }
  return { read, junk }
}
