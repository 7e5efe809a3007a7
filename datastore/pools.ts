/** Pools as people make, change and delete them; every refusal is a value that names what is in the way, and nothing is changed then. */

import type { Ipv4 } from '@network/base/net/ipv4.ts'
import { contains, covers, overlaps, type Prefix, samePrefix } from '@network/base/net/prefix.ts'
import { Fault } from '@network/base/run/fault.ts'
import { IP_POOL, type IpPool, poolKey } from '@network/model/resources/ip-pool.ts'
import { IPAM_BLOCK, podAddresses, TUNNEL_USE } from '@network/model/resources/ipam-block.ts'
import { NODE, type Node } from '@network/model/resources/node.ts'
import { RESERVED } from '@network/model/rules/pools.ts'
import { release } from './ipam/blocks.ts'
import { vacate } from './ipam/claim.ts'
import type { Datastore, Options } from './port.ts'
import { createOf, getOf, listOf, type Stored, updateOf } from './records.ts'

/** Why a range cannot be a pool. */
export type Obstacle =
  | { readonly is: 'overlaps'; readonly pool: string; readonly cidr: Prefix }
  /** A node's own address lies in the range. */
  | { readonly is: 'holds-node'; readonly node: string; readonly address: Ipv4 }
  /** Link-local, loopback, multicast and the like; `range` says which. */
  | { readonly is: 'reserved'; readonly range: Prefix; readonly what: string }

export type PoolCreated = { readonly is: 'created'; readonly pool: IpPool } | { readonly is: 'exists' } | Obstacle

/** What may be asked of an existing pool; what is left out stays. */
export type PoolChange = Partial<Omit<IpPool, 'name'>>

export type PoolSet =
  | { readonly is: 'set'; readonly before: IpPool; readonly after: IpPool }
  | { readonly is: 'unchanged'; readonly pool: IpPool }
  | { readonly is: 'absent'; readonly known: readonly string[] }
  /** Blocks are cut out of cidr by blockSize: a pool with another is another pool. */
  | { readonly is: 'immutable'; readonly field: 'cidr' | 'blockSize'; readonly pool: IpPool }

export type PoolDeleted =
  | { readonly is: 'deleted'; readonly pool: IpPool }
  | { readonly is: 'absent'; readonly known: readonly string[] }
  | { readonly is: 'in-use'; readonly addresses: number; readonly nodes: readonly string[] }

/** What stands in the way of a pool; undefined when nothing does. Pools of the same name do not count. */
export function obstacleTo(
  pool: Pick<IpPool, 'name' | 'cidr'>,
  among: { readonly pools: readonly IpPool[]; readonly nodes: readonly Node[] },
): Obstacle | undefined {
  const reserved = RESERVED.find(({ range }) => overlaps(range, pool.cidr))
  if (reserved !== undefined) return { is: 'reserved', ...reserved }
  const other = among.pools.find(({ name, cidr }) => name !== pool.name && overlaps(cidr, pool.cidr))
  if (other !== undefined) return { is: 'overlaps', pool: other.name, cidr: other.cidr }
  const node = among.nodes.find(({ address }) => contains(pool.cidr, address))
  return node === undefined ? undefined : { is: 'holds-node', node: node.name, address: node.address }
}

/** Creates a pool that no other overlaps; of two that overlap and are created at the same moment, at most one stays. */
export async function createPool(store: Datastore, pool: IpPool, options: Options): Promise<PoolCreated> {
  const before = await read(store, options)
  if (before.pools.some(({ name }) => name === pool.name)) return { is: 'exists' }
  const obstacle = obstacleTo(pool, before)
  if (obstacle !== undefined) return obstacle
  const created = await createOf(store, IP_POOL, pool, options)
  if (created.is === 'exists') return created
  const since = obstacleTo(pool, await read(store, options))
  if (since === undefined) return { is: 'created', pool }
  await store.delete(poolKey(pool.name), created.revision, options)
  return since
}

/** Changes a pool's mode or disables it; takes effect on every node without restart. */
export async function setPool(store: Datastore, name: string, change: PoolChange, options: Options): Promise<PoolSet> {
  for (;;) {
    const present = await getOf(store, IP_POOL, poolKey(name), options)
    if (present === undefined) return absent(store, options)
    const { value: before } = present
    const after: IpPool = { ...before, ...change }
    if (!samePrefix(after.cidr, before.cidr)) return { is: 'immutable', field: 'cidr', pool: before }
    if (after.blockSize !== before.blockSize) return { is: 'immutable', field: 'blockSize', pool: before }
    if (JSON.stringify(IP_POOL.print(after)) === JSON.stringify(IP_POOL.print(before))) return { is: 'unchanged', pool: before }
    const written = await updateOf(
      store,
      IP_POOL,
      { value: after, revision: present.revision, document: present.document },
      options,
    )
    if (written.is === 'written') return { is: 'set', before, after }
  }
}

/**
 * Deletes a pool that no pod has an address of; those of tunnels are freed with it, and each agent takes one of another pool as soon as it
 * hears of it. It is disabled first, so that an agent that assigns at this moment takes its address back.
 */
export async function deletePool(store: Datastore, name: string, options: Options): Promise<PoolDeleted> {
  for (;;) {
    const present = await getOf(store, IP_POOL, poolKey(name), options)
    if (present === undefined) return absent(store, options)
    const { value: pool } = present
    const used = await inUse(store, pool, options)
    if (used.is === 'in-use') return used
    const disabled = await updateOf(
      store,
      IP_POOL,
      { value: { ...pool, disabled: true }, revision: present.revision, document: present.document },
      options,
    )
    if (disabled.is !== 'written') continue
    const still = await inUse(store, pool, options)
    if (still.is === 'in-use') {
      await setPool(store, name, { disabled: pool.disabled }, options)
      return still
    }
    await releaseBlocks(store, pool, options)
    if ((await store.delete(poolKey(name), disabled.revision, options)).is !== 'deleted') continue
    return (await takenSince(store, pool, options)) ?? { is: 'deleted', pool }
  }
}

/** An agent may have died between taking an address and its look at the pool, and found the address again after its restart: the pool comes back. */
async function takenSince(store: Datastore, pool: IpPool, options: Options): Promise<PoolDeleted | undefined> {
  const used = await inUse(store, pool, options)
  if (used.is !== 'in-use') return undefined
  await createOf(store, IP_POOL, pool, options)
  return used
}

/** Whether pods have addresses of a pool, and on which nodes. */
export async function inUse(
  store: Datastore,
  pool: Pick<IpPool, 'cidr'>,
  options: Options,
): Promise<{ readonly is: 'unused' } | Extract<PoolDeleted, { is: 'in-use' }>> {
  const { read: blocks, junk } = await listOf(store, IPAM_BLOCK, options)
  if (junk[0] !== undefined)
    throw new Fault('datastore.unreadable', {
      doing: 'tell whether the pool is in use from',
      on: `${junk[0].key} in ${store.url}`,
      says: junk[0].problems.map(({ at, says }) => `${at} ${says}`).join('; '),
      mend: 'put a right document there or delete it',
    })
  const used = blocks.filter(({ value }) => covers(pool.cidr, value.cidr) && podAddresses(value) > 0)
  if (used.length === 0) return { is: 'unused' }
  return {
    is: 'in-use',
    addresses: used.reduce((sum, { value }) => sum + podAddresses(value), 0),
    nodes: [...new Set(used.flatMap(({ value }) => [...value.allocations.values()].map(({ node }) => node)))].sort(),
  }
}

/** Frees what tunnels have; a block that changes at this moment is its node's to give up. */
async function releaseBlocks(store: Datastore, pool: IpPool, options: Options): Promise<void> {
  const { read: blocks } = await listOf(store, IPAM_BLOCK, options)
  for (const block of blocks) {
    if (!covers(pool.cidr, block.value.cidr) || podAddresses(block.value) > 0) continue
    const { block: value } = release(block.value, ({ use }) => use === TUNNEL_USE)
    const freed = await updateOf(store, IPAM_BLOCK, { ...block, value }, options)
    if (freed.is === 'written') await vacate(store, { ...block, value, revision: freed.revision }, options)
  }
}

async function absent(store: Datastore, options: Options): Promise<{ is: 'absent'; known: readonly string[] }> {
  const { read: pools } = await listOf(store, IP_POOL, options)
  return { is: 'absent', known: pools.map(({ value }) => value.name) }
}

async function read(store: Datastore, options: Options): Promise<{ pools: readonly IpPool[]; nodes: readonly Node[] }> {
  const values = <T>(records: { readonly read: readonly Stored<T>[] }) => records.read.map(({ value }) => value)
  const [pools, nodes] = await Promise.all([listOf(store, IP_POOL, options), listOf(store, NODE, options)])
  return { pools: values(pools), nodes: values(nodes) }
}
