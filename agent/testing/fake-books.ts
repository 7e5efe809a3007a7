/** A bookkeeper over any store, with a ledger that outlives it in memory. */

import { silentLog } from '@network/base/run/log.ts'
import { seededRandom } from '@network/base/testing/seeded-random.ts'
import type { Clock } from '@network/base/time/clock.ts'
import type { Ipam } from '@network/datastore/ipam/ipam.ts'
import type { Datastore } from '@network/datastore/port.ts'
import type { IpamBlock } from '@network/model/resources/ipam-block.ts'
import type { Snapshot } from '@network/model/snapshot.ts'
import type { DatastoreStatus } from '@network/model/status.ts'
import { Bookkeeper } from '../away/bookkeeper.ts'
import { Ledger } from '../away/ledger.ts'
import { Overlay } from '../away/overlay.ts'
import type { FakePods, Step } from './fake-pods.ts'

export interface FakeBooks {
  readonly node: string
  readonly id?: string
  readonly store: Datastore
  readonly ipam: Ipam
  readonly pods: FakePods
  readonly step?: Step
  readonly clock: Clock
  readonly datastore: () => DatastoreStatus
  readonly isRegistered?: () => boolean
  /** What was last seen of the datastore; nothing unless told. */
  readonly seen?: () => { readonly snapshot: Snapshot | undefined; readonly blocks: readonly IpamBlock[] }
}

export function fakeBooks(wanted: FakeBooks): {
  readonly bookkeeper: Bookkeeper
  readonly ledger: Ledger
  readonly overlay: Overlay
} {
  const { node, id = 'machine', store, ipam, pods, step, clock, datastore, seen, isRegistered = () => true } = wanted
  const ledger = new Ledger(pods.paper(step))
  const overlay = new Overlay(clock, ledger.entries.values(), () => undefined)
  const bookkeeper = new Bookkeeper({
    ...{ node, id, store, ipam, ledger, overlay, clock, random: seededRandom(3), log: silentLog, datastore, isRegistered },
    lastSeen: () => ({
      self: node,
      id,
      snapshot: seen?.().snapshot,
      blocks: seen?.().blocks ?? [],
      routed: new Set([...pods.pairs.values()].flatMap(({ address }) => address ?? [])),
    }),
    isWired: ({ interfaceName }) => pods.pairs.has(interfaceName),
    settled: () => undefined,
  })
  return { bookkeeper, ledger, overlay }
}
