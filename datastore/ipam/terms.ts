/** How addresses are to be given to one node: what the resources besides blocks say of it. */

import { isPrefix6 } from '@network/base/net/any-prefix.ts'
import type { Ipv4 } from '@network/base/net/ipv4.ts'
import { contains, covers, overlaps, type Prefix, sizeOf } from '@network/base/net/prefix.ts'
import { IP_POOL, type IpPool, type PoolUse } from '@network/model/resources/ip-pool.ts'
import { IP_RESERVATION, IPAM_CONFIGURATION, type IpReservation, MAX_BLOCKS } from '@network/model/resources/ipam.ts'
import { keyOfNamed } from '@network/model/resources/kind.ts'
import { NODE, nodeKey } from '@network/model/resources/node.ts'
import { matches } from '@network/model/selector/selector.ts'
import type { Datastore, Options } from '../port.ts'
import { getOf, listOf, type Records } from '../records.ts'
import { addressAt } from './blocks.ts'
import { readable } from './readable.ts'

export interface Terms {
  readonly pools: Records<IpPool>
  /** Those that new addresses for this use may come from, by name. */
  readonly open: readonly IpPool[]
  readonly reserved: readonly Prefix[]
  /** Free addresses of other nodes' blocks may be taken when there is no other. */
  readonly mayBorrow: boolean
  /** How many blocks the node may have; 0: it claims none by itself. */
  readonly maxBlocks: number
}

export async function readTerms(store: Datastore, node: string, use: string, options: Options): Promise<Terms> {
  const [pools, reservations, configuration] = await Promise.all([
    listOf(store, IP_POOL, options),
    listOf(store, IP_RESERVATION, options),
    readable(getOf(store, IPAM_CONFIGURATION, keyOfNamed(IPAM_CONFIGURATION, { name: 'default' }), options)),
  ])
  const { strictAffinity = true, autoAllocateBlocks = true, maxBlocksPerHost = 0 } = configuration?.value.spec ?? {}
  const labels = await labelsOf(store, node, pools, options)
  const wanted: PoolUse = use === 'tunnel' ? 'Tunnel' : 'Workload'
  return {
    pools,
    open: pools.read.map(({ value }) => value).filter(pool => isOpenTo(pool, wanted, labels)),
    reserved: reservedBy(reservations.read.map(({ value }) => value)),
    mayBorrow: !strictAffinity,
    maxBlocks: autoAllocateBlocks ? maxBlocksPerHost || MAX_BLOCKS : 0,
  }
}

/** Read only where somebody asks for them. */
async function labelsOf(store: Datastore, node: string, pools: Records<IpPool>, options: Options) {
  if (pools.read.every(({ value: { nodeSelector } }) => nodeSelector === undefined || nodeSelector.is === 'all')) return {}
  return (await readable(getOf(store, NODE, nodeKey(node), options)))?.value.labels ?? {}
}

/** Whether a node with these labels may take new addresses for this use from the pool. */
export function isOpenTo(pool: IpPool, use: PoolUse, labels: Readonly<Record<string, string>>): boolean {
  const { disabled, assignmentMode, allowedUses, nodeSelector } = pool
  if (disabled || assignmentMode === 'Manual' || allowedUses?.includes(use) === false) return false
  return nodeSelector === undefined || matches(nodeSelector, labels)
}

/** The IPv4 ranges of reservations. */
export function reservedBy(reservations: Iterable<IpReservation>): readonly Prefix[] {
  return [...reservations].flatMap(({ spec }) => spec.reservedCIDRs).flatMap(cidr => (isPrefix6(cidr) ? [] : [cidr]))
}

export function isReserved(address: Ipv4, reserved: readonly Prefix[]): boolean {
  return reserved.some(range => contains(range, address))
}

/** False when every address of the block is reserved. */
export function hasRoom(block: Prefix, reserved: readonly Prefix[]): boolean {
  const near = reserved.filter(range => overlaps(range, block))
  if (near.length === 0) return true
  if (near.some(range => covers(range, block))) return false
  return Array.from({ length: sizeOf(block) }, (_, at) => at).some(at => !isReserved(addressAt(block, at), near))
}
