/** Arithmetic of pools, blocks and ordinals; pure. */

import { type Ipv4, toIpv4 } from '@network/base/net/ipv4.ts'
import { contains, type Prefix, sizeOf, toPrefix } from '@network/base/net/prefix.ts'
import type { IpPool } from '@network/model/resources/ip-pool.ts'
import type { Allocation, IpamBlock } from '@network/model/resources/ipam-block.ts'

type Range = Pick<IpPool, 'cidr' | 'blockSize'>

/** How many blocks a pool holds. */
export function blockCount({ cidr, blockSize }: Range): number {
  return 2 ** (blockSize - cidr.length)
}

/** The block with an index from 0 to `blockCount − 1`. */
export function blockAt({ cidr, blockSize }: Range, index: number): Prefix {
  return toPrefix(toIpv4(cidr.address + index * 2 ** (32 - blockSize)), blockSize)
}

/** The block of a pool that an address lies in. */
export function blockOf({ cidr, blockSize }: Range, address: Ipv4): Prefix | undefined {
  return contains(cidr, address) ? toPrefix(address, blockSize) : undefined
}

/** Every block of a pool once, beginning where chance by the node's name says, so that nodes that claim at once rarely meet. */
export function* blocksFor(node: string, pool: Range): Generator<Prefix> {
  const count = blockCount(pool)
  const start = scatter(node) % count
  for (let step = 0; step < count; step++) yield blockAt(pool, (start + step) % count)
}

export function addressAt(block: Prefix, ordinal: number): Ipv4 {
  return toIpv4(block.address + ordinal)
}

/** Place of an address inside its block. */
export function ordinalOf(block: Prefix, address: Ipv4): number {
  return address - block.address
}

/** A block with nothing in use; its first and last address are as good as the others, for pods have /32s. */
export function emptyBlock(cidr: Prefix, node: string): IpamBlock {
  return { cidr, node, allocations: new Map(), free: Array.from({ length: sizeOf(cidr) }, (_, ordinal) => ordinal) }
}

/** Takes the address that has been free for longest among those that `may` be given; undefined when there is none. */
export function allocate(
  block: IpamBlock,
  allocation: Allocation,
  may: (address: Ipv4) => boolean = () => true,
): { readonly block: IpamBlock; readonly ordinal: number } | undefined {
  const ordinal = block.free.find(one => may(addressAt(block.cidr, one)))
  if (ordinal === undefined) return undefined
  const free = block.free.filter(one => one !== ordinal)
  return { ordinal, block: { ...block, allocations: new Map([...block.allocations, [ordinal, allocation]]), free } }
}

/** Gives back all that `unused` says; what is freed now is reused last. */
export function release(
  block: IpamBlock,
  unused: (allocation: Allocation) => boolean,
): { readonly block: IpamBlock; readonly ordinals: readonly number[] } {
  const ordinals = [...block.allocations].filter(([, allocation]) => unused(allocation)).map(([ordinal]) => ordinal)
  const allocations = new Map(block.allocations)
  for (const ordinal of ordinals) allocations.delete(ordinal)
  return { ordinals, block: { ...block, allocations, free: [...block.free, ...ordinals] } }
}

/** The ordinal that a handle has in the block, on the node where that is named. */
export function ordinalFor(block: IpamBlock, handle: string, node?: string): number | undefined {
  for (const [ordinal, allocation] of block.allocations)
    if (allocation.handle === handle && (node === undefined || allocation.node === node)) return ordinal
  return undefined
}

/** FNV-1a, then MurmurHash3's finaliser: names that differ in their last digit land far apart. */
function scatter(name: string): number {
  let hash = 0x811c9dc5
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
