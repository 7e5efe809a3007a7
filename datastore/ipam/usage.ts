/** Who has which address: what `calictl ipam show` prints. */

import type { Ipv4 } from '@network/base/net/ipv4.ts'
import { comparePrefixes, contains, covers, formatPrefix, type Prefix, sizeOf } from '@network/base/net/prefix.ts'
import { BLOCK_AFFINITY, type BlockAffinity } from '@network/model/resources/block-affinity.ts'
import { IP_POOL, type IpPool } from '@network/model/resources/ip-pool.ts'
import { IPAM_BLOCK, type IpamBlock } from '@network/model/resources/ipam-block.ts'
import type { Datastore, Options } from '../port.ts'
import { type Junk, listOf } from '../records.ts'
import { addressAt, blockCount } from './blocks.ts'

export interface PoolUsage {
  readonly name: string
  readonly cidr: Prefix
  readonly disabled: boolean
  /** Addresses. */
  readonly size: number
  readonly used: number
  /** Not in use, whether in somebody's block or not. */
  readonly free: number
  /** Blocks that belong to nodes, and how many there are at all. */
  readonly blocks: number
  readonly blocksOfAll: number
}

export interface BlockUsage {
  readonly cidr: Prefix
  /** Undefined when no pool has the block: a pool was deleted under it. */
  readonly pool: string | undefined
  readonly node: string
  readonly size: number
  readonly used: number
  readonly free: number
  /** `none`: no affinity, so nobody advertises it. */
  readonly affinity: 'confirmed' | 'pending' | 'none'
}

export interface AddressUsage {
  readonly address: Ipv4
  readonly pool: string | undefined
  readonly block: Prefix
  readonly node: string
  readonly handle: string
  readonly use: string
}

export interface IpamUsage {
  /** By name. */
  readonly pools: readonly PoolUsage[]
  /** By address. */
  readonly blocks: readonly BlockUsage[]
  readonly addresses: readonly AddressUsage[]
  /** Documents that cannot be read, and so are not counted. */
  readonly junk: readonly Junk[]
}

/** Reads pools, affinities and blocks; not at one moment, so a change under way may show half. */
export async function ipamUsage(store: Datastore, options: Options): Promise<IpamUsage> {
  const [pools, affinities, blocks] = await Promise.all([
    listOf(store, IP_POOL, options),
    listOf(store, BLOCK_AFFINITY, options),
    listOf(store, IPAM_BLOCK, options),
  ])
  const counted = usageOf({
    pools: pools.read.map(({ value }) => value),
    affinities: affinities.read.map(({ value }) => value),
    blocks: blocks.read.map(({ value }) => value),
  })
  return { ...counted, junk: [...pools.junk, ...affinities.junk, ...blocks.junk] }
}

/** Counts; pure. */
export function usageOf(of: {
  readonly pools: readonly IpPool[]
  readonly affinities: readonly BlockAffinity[]
  readonly blocks: readonly IpamBlock[]
}): Omit<IpamUsage, 'junk'> {
  const states = new Map(of.affinities.map(({ block, node, state }) => [`${formatPrefix(block)} ${node}`, state]))
  const blocks = of.blocks.toSorted((a, b) => comparePrefixes(a.cidr, b.cidr))
  return {
    pools: of.pools.map(pool => poolUsage(pool, blocks)),
    blocks: blocks.map(({ cidr, node, allocations, free }) => ({
      cidr,
      pool: poolName(of.pools, cidr),
      node,
      size: sizeOf(cidr),
      used: allocations.size,
      free: free.length,
      affinity: states.get(`${formatPrefix(cidr)} ${node}`) ?? 'none',
    })),
    addresses: blocks.flatMap(block => addressesOf(block, poolName(of.pools, block.cidr))),
  }
}

export type Who =
  | { readonly is: 'used'; readonly by: AddressUsage }
  /** In a node's block, free. */
  | { readonly is: 'free'; readonly block: BlockUsage }
  /** In a pool, in nobody's block. */
  | { readonly is: 'unclaimed'; readonly pool: string }
  | { readonly is: 'in-no-pool' }

/** Who has an address. */
export function whoHas(usage: Omit<IpamUsage, 'junk'>, address: Ipv4): Who {
  const by = usage.addresses.find(one => one.address === address)
  if (by !== undefined) return { is: 'used', by }
  const block = usage.blocks.find(({ cidr }) => contains(cidr, address))
  if (block !== undefined) return { is: 'free', block }
  const pool = usage.pools.find(({ cidr }) => contains(cidr, address))
  return pool === undefined ? { is: 'in-no-pool' } : { is: 'unclaimed', pool: pool.name }
}

function poolUsage(pool: IpPool, blocks: readonly IpamBlock[]): PoolUsage {
  const own = blocks.filter(({ cidr }) => covers(pool.cidr, cidr))
  const used = own.reduce((sum, { allocations }) => sum + allocations.size, 0)
  const size = sizeOf(pool.cidr)
  return {
    name: pool.name,
    cidr: pool.cidr,
    disabled: pool.disabled,
    size,
    used,
    free: size - used,
    blocks: own.length,
    blocksOfAll: blockCount(pool),
  }
}

function poolName(pools: readonly IpPool[], block: Prefix): string | undefined {
  return pools.find(({ cidr }) => covers(cidr, block))?.name
}

function addressesOf({ cidr, allocations }: IpamBlock, pool: string | undefined): AddressUsage[] {
  return [...allocations]
    .map(([ordinal, { node, handle, use }]) => ({ address: addressAt(cidr, ordinal), pool, block: cidr, node, handle, use }))
    .sort((a, b) => a.address - b.address)
}
