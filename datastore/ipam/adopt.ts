/** An address that a node gave out while the store was away, written down afterwards; never over anybody else's. */

import type { Ipv4 } from '@network/base/net/ipv4.ts'
import { contains, type Prefix, samePrefix } from '@network/base/net/prefix.ts'
import { affinityKey, BLOCK_AFFINITY } from '@network/model/resources/block-affinity.ts'
import { IP_POOL, type IpPool, poolKey } from '@network/model/resources/ip-pool.ts'
import { type Allocation, IPAM_BLOCK, type IpamBlock, ipamBlockKey } from '@network/model/resources/ipam-block.ts'
import type { Datastore, Options } from '../port.ts'
import { getOf, listOf, type Stored, updateOf } from '../records.ts'
import { allocate, blockOf, ordinalOf, release } from './blocks.ts'
import { claim, mend } from './claim.ts'
import { readable } from './readable.ts'

export interface Adoption {
  readonly address: Ipv4
  readonly handle: string
  readonly use: string
  /** Whether an allocation of this node's own may be written over: nobody has the address by it any more. */
  readonly isLeftover: (allocation: Allocation) => boolean
  readonly signal: AbortSignal
}

export type Adopted =
  /** `lender` is the node whose block it is, where that is another one by now. */
  | { readonly is: 'adopted'; readonly block: Prefix; readonly lender: string | undefined }
  /** Somebody else has the address. */
  | { readonly is: 'taken'; readonly by: Allocation; readonly block: Prefix }
  /** No pool holds the address any more. */
  | { readonly is: 'no-pool' }

/** One try; `lost` says that others changed the same keys, so look again. */
export async function tryAdopt(store: Datastore, node: string, wanted: Adoption): Promise<Adopted | 'lost'> {
  const { read: pools } = await listOf(store, IP_POOL, wanted)
  const pool = pools.map(({ value }) => value).find(({ cidr }) => contains(cidr, wanted.address))
  const cidr = pool === undefined ? undefined : blockOf(pool, wanted.address)
  if (pool === undefined || cidr === undefined) return { is: 'no-pool' }
  const block = await getOf(store, IPAM_BLOCK, ipamBlockKey(cidr), wanted)
  if (block === undefined) {
    // Given up meanwhile, and nobody's yet.
    await claim(store, cidr, node, wanted)
    return 'lost'
  }
  const present = block.value.allocations.get(ordinalOf(cidr, wanted.address))
  const isOurs = present?.node === node && present.handle === wanted.handle
  if (present !== undefined && !isOurs && !(present.node === node && wanted.isLeftover(present)))
    return { is: 'taken', by: present, block: cidr }
  if (!isOurs && !(await isTaken(store, node, block, wanted))) return 'lost'
  // Whoever deletes a pool disables it first and then looks for addresses; so one of the two sees the other.
  if (!(await isStillThere(store, pool, wanted))) {
    await giveBack(store, node, ipamBlockKey(cidr), wanted)
    return 'lost'
  }
  if (!(await isRouted(store, node, block.value, wanted))) return 'lost'
  return { is: 'adopted', block: cidr, lender: block.value.node === node ? undefined : block.value.node }
}

/** True when the block was written, with the address taken in it. */
async function isTaken(
  store: Datastore,
  node: string,
  { value, revision, document }: Stored<IpamBlock>,
  { address, handle, use, isLeftover, signal }: Adoption,
): Promise<boolean> {
  const ordinal = ordinalOf(value.cidr, address)
  const leftover = value.allocations.get(ordinal)
  const cleared = leftover !== undefined && isLeftover(leftover) ? release(value, one => one === leftover).block : value
  const taken = allocate(cleared, { handle, use, node }, one => one === address)
  if (taken === undefined) return false
  return (await updateOf(store, IPAM_BLOCK, { value: taken.block, revision, document }, { signal })).is === 'written'
}

async function isStillThere(store: Datastore, pool: IpPool, options: Options): Promise<boolean> {
  const now = await readable(getOf(store, IP_POOL, poolKey(pool.name), options))
  return now !== undefined && samePrefix(now.value.cidr, pool.cidr)
}

async function giveBack(store: Datastore, node: string, key: string, { handle, signal }: Adoption): Promise<void> {
  for (;;) {
    const block = await getOf(store, IPAM_BLOCK, key, { signal })
    if (block === undefined) return
    const { block: value, ordinals } = release(block.value, one => one.node === node && one.handle === handle)
    if (ordinals.length === 0) return
    const { revision, document } = block
    if ((await updateOf(store, IPAM_BLOCK, { value, revision, document }, { signal })).is === 'written') return
  }
}

/** What lies in a block of another node is advertised by itself. */
async function isRouted(store: Datastore, node: string, { cidr, node: owner }: IpamBlock, options: Options): Promise<boolean> {
  if (owner !== node) return true
  const affinity = await getOf(store, BLOCK_AFFINITY, affinityKey(cidr), options)
  if (affinity?.value.node !== node) {
    await claim(store, cidr, node, options)
    return false
  }
  return affinity.value.state === 'confirmed' || (await mend(store, affinity, options)) === 'done'
}
