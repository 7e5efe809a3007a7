/** Addresses for one node: taken from blocks that the node owns, claimed from pools when they are full, given back when empty. */

import type { Ipv4 } from '@network/base/net/ipv4.ts'
import { comparePrefixes, covers, type Prefix, samePrefix } from '@network/base/net/prefix.ts'
import { Fault } from '@network/base/run/fault.ts'
import { backoff } from '@network/base/time/backoff.ts'
import { type Clock, type Random, sleep } from '@network/base/time/clock.ts'
import { millis } from '@network/base/time/units.ts'
import { affinityKey, BLOCK_AFFINITY, type BlockAffinity } from '@network/model/resources/block-affinity.ts'
import { IP_POOL, type IpPool, poolKey } from '@network/model/resources/ip-pool.ts'
import { type Allocation, IPAM_BLOCK, type IpamBlock, ipamBlockKey } from '@network/model/resources/ipam-block.ts'
import type { Datastore, Options } from '../port.ts'
import { getOf, listOf, type Records, type Stored, updateOf } from '../records.ts'
import { addressAt, allocate, blocksFor, ordinalFor, release } from './blocks.ts'
import { claim, mend, vacate } from './claim.ts'
import { Turns } from './turns.ts'

export interface Request {
  /** What the address is released by; asking again with the same handle gives the same address. */
  readonly handle: string
  /** `namespace/pod`, or `tunnel`. */
  readonly use: string
  readonly signal: AbortSignal
}

export type Assignment =
  /** `pool` is empty when the pool's document cannot be read. */
  | { readonly is: 'assigned'; readonly address: Ipv4; readonly pool: string; readonly block: Prefix }
  /** No pool, or none that is enabled. */
  | { readonly is: 'no-pool' }
  /** Every block of these pools belongs to some node, and this node's are full. */
  | { readonly is: 'pools-full'; readonly pools: readonly string[] }

/** An address that was given back, and what it had been for. */
export interface Released {
  readonly address: Ipv4
  readonly handle: string
  readonly use: string
}

const ATTEMPTS = 100
const RETRY = { base: millis(1), cap: millis(100) }

/** Holds no state: all truth is in the store, so it may be killed and made anew at any moment. */
export class Ipam {
  readonly #store: Datastore
  readonly #node: string
  readonly #random: Random
  readonly #clock: Clock
  readonly #turns = new Turns()

  constructor(store: Datastore, node: string, { random, clock }: { readonly random: Random; readonly clock: Clock }) {
    this.#store = store
    this.#node = node
    this.#random = random
    this.#clock = clock
  }

  /** An address in a block whose affinity is confirmed. Own blocks first, in order of address; then a new one, pools in order of name. */
  assign(request: Request): Promise<Assignment> {
    return this.#untilSettled('assign an address for', request.use, request, () => this.#tryAssign(request))
  }

  /** Frees what the handle has, if anything, and gives up blocks that become empty. */
  async release(handle: string, options: Options): Promise<readonly Ipv4[]> {
    const released = await this.#releaseWhere(allocation => allocation.handle === handle, handle, options)
    return released.map(({ address }) => address)
  }

  /**
   * Frees what nobody answers for any more: what a crash left between taking an address and recording its use. `used` are the handles that
   * stay. Call it only while no request is between `assign` and the record of its use.
   */
  releaseUnused(used: ReadonlySet<string>, options: Options): Promise<readonly Released[]> {
    return this.#releaseWhere(allocation => !used.has(allocation.handle), `node ${this.#node}`, options)
  }

  /** One request after the other in this process: they would only race each other for the same block. */
  #untilSettled<T>(doing: string, on: string, options: Options, attempt: () => Promise<T | 'lost'>): Promise<T> {
    return this.#turns.take(options.signal, async () => {
      for (let tried = 0; tried < ATTEMPTS; tried++) {
        if (tried > 0) await sleep(this.#clock, backoff(tried - 1, RETRY, this.#random), options.signal)
        const outcome = await attempt()
        if (outcome !== 'lost') return outcome
      }
      throw new Fault('datastore.contended', {
        doing,
        on,
        says: `others changed the same blocks ${ATTEMPTS} times in a row`,
        mend: 'try again',
      })
    })
  }

  async #tryAssign(request: Request): Promise<Assignment | 'lost'> {
    const affinities = await listOf(this.#store, BLOCK_AFFINITY, request)
    const blocks = await this.#ownBlocks(affinities, request)
    if (blocks === 'lost') return 'lost'
    // After the blocks: an address found in a pool that is still there is seen by whoever deletes that pool later.
    const pools = await listOf(this.#store, IP_POOL, request)
    const had = await this.#alreadyAssigned(blocks, pools, request)
    if (had !== undefined) return had
    const open = pools.read.map(({ value }) => value).filter(pool => !pool.disabled)
    if (open.length === 0) return { is: 'no-pool' }
    for (const block of blocks) {
      const pool = poolOf(open, block.value.cidr)
      if (pool !== undefined && block.value.free.length > 0) return this.#take(block, pool, request)
    }
    return this.#claimAnother(open, affinities, request)
  }

  /** The node's blocks that can be read; claims that a crash left half done are finished or given up on the way. */
  async #ownBlocks(affinities: Records<BlockAffinity>, options: Options): Promise<readonly Stored<IpamBlock>[] | 'lost'> {
    const blocks: Stored<IpamBlock>[] = []
    for (const affinity of affinities.read) {
      if (affinity.value.node !== this.#node) continue
      const state = affinity.value.state === 'confirmed' ? 'done' : await readable(mend(this.#store, affinity, options))
      if (state === 'lost') return 'lost'
      if (state !== 'done') continue
      const block = await readable(getOf(this.#store, IPAM_BLOCK, ipamBlockKey(affinity.value.block), options))
      if (block?.value.node === this.#node) blocks.push(block)
    }
    return blocks.sort((a, b) => comparePrefixes(a.value.cidr, b.value.cidr))
  }

  async #alreadyAssigned(
    blocks: readonly Stored<IpamBlock>[],
    pools: Records<IpPool>,
    request: Request,
  ): Promise<Assignment | 'lost' | undefined> {
    for (const { key, value: block } of blocks) {
      const ordinal = ordinalFor(block, request.handle)
      if (ordinal === undefined) continue
      const pool = pools.read.find(({ value }) => covers(value.cidr, block.cidr))
      if (pool === undefined && pools.junk.length === 0) {
        await this.#giveBack(key, request.handle, request)
        return 'lost'
      }
      if (!(await this.#isConfirmed(block.cidr, request))) return 'lost'
      return { is: 'assigned', address: addressAt(block.cidr, ordinal), pool: pool?.value.name ?? '', block: block.cidr }
    }
    return undefined
  }

  async #take(block: Stored<IpamBlock>, pool: IpPool, request: Request): Promise<Assignment | 'lost'> {
    const { handle, use } = request
    const taken = allocate(block.value, { handle, use, node: this.#node })
    if (taken === undefined || !(await this.#isConfirmed(block.value.cidr, request))) return 'lost'
    const written = await updateOf(this.#store, IPAM_BLOCK, { value: taken.block, revision: block.revision }, request)
    if (written.is !== 'written') return 'lost'
    if (!(await this.#isStillOpen(pool, request))) {
      await this.#giveBack(block.key, handle, request)
      return 'lost'
    }
    if (!(await this.#isConfirmed(block.value.cidr, request))) return 'lost'
    return { is: 'assigned', address: addressAt(block.value.cidr, taken.ordinal), pool: pool.name, block: block.value.cidr }
  }

  /** Whoever deletes a pool disables it first and then looks for addresses; so one of the two sees the other. */
  async #isStillOpen(pool: IpPool, options: Options): Promise<boolean> {
    const now = await readable(getOf(this.#store, IP_POOL, poolKey(pool.name), options))
    return now !== undefined && !now.value.disabled && samePrefix(now.value.cidr, pool.cidr)
  }

  /** Goes on until it is done: an address that stays in a pool that is gone would be nobody's. */
  async #giveBack(key: string, handle: string, options: Options): Promise<void> {
    for (;;) {
      const block = await getOf(this.#store, IPAM_BLOCK, key, options)
      if (block === undefined || (await this.#freeFrom(block, one => one.handle === handle, options)) !== 'lost') return
    }
  }

  /** An address may be used only when its block is advertised: a block given up at this moment has to be confirmed again. */
  async #isConfirmed(block: Prefix, options: Options): Promise<boolean> {
    const affinity = await getOf(this.#store, BLOCK_AFFINITY, affinityKey(block), options)
    if (affinity?.value.node !== this.#node) return false
    return affinity.value.state === 'confirmed' || (await mend(this.#store, affinity, options)) === 'done'
  }

  async #claimAnother(pools: readonly IpPool[], known: Records<BlockAffinity>, options: Options): Promise<Assignment | 'lost'> {
    const claims = new Map(known.read.map(({ key, value }) => [key, value.state]))
    for (const { key } of known.junk) claims.set(key, 'confirmed')
    for (const pool of pools) {
      const untouched = blocksFor(this.#node, pool).find(block => !claims.has(affinityKey(block)))
      if (untouched === undefined) continue
      await readable(claim(this.#store, untouched, this.#node, options))
      return 'lost'
    }
    return this.#takeOver(pools, claims, options)
  }

  /** Last resort: claims that others began and perhaps never finished. */
  async #takeOver(pools: readonly IpPool[], claims: ReadonlyMap<string, string>, options: Options): Promise<Assignment | 'lost'> {
    for (const pool of pools)
      for (const block of blocksFor(this.#node, pool)) {
        if (claims.get(affinityKey(block)) !== 'pending') continue
        const outcome = await readable(claim(this.#store, block, this.#node, options))
        if (outcome === 'done' || outcome === 'lost') return 'lost'
      }
    return { is: 'pools-full', pools: pools.map(({ name }) => name) }
  }

  #releaseWhere(unused: (allocation: Allocation) => boolean, on: string, options: Options): Promise<readonly Released[]> {
    const released: Released[] = []
    return this.#untilSettled('release the addresses of', on, options, async () => {
      const blocks = await this.#ownBlocks(await listOf(this.#store, BLOCK_AFFINITY, options), options)
      if (blocks === 'lost') return 'lost'
      for (const block of blocks) {
        const freed = await this.#freeFrom(block, unused, options)
        if (freed === 'lost') return 'lost'
        released.push(...freed)
      }
      return released
    })
  }

  /** Frees inside one block, and gives the block up when nothing is left in it. */
  async #freeFrom(
    block: Stored<IpamBlock>,
    unused: (allocation: Allocation) => boolean,
    options: Options,
  ): Promise<readonly Released[] | 'lost'> {
    const { block: value, ordinals } = release(block.value, unused)
    let { revision } = block
    if (ordinals.length > 0) {
      const written = await updateOf(this.#store, IPAM_BLOCK, { value, revision }, options)
      if (written.is !== 'written') return 'lost'
      revision = written.revision
    }
    if (value.allocations.size === 0) await vacate(this.#store, { ...block, value, revision }, options)
    return [...block.value.allocations]
      .filter(([ordinal]) => ordinals.includes(ordinal))
      .map(([ordinal, { handle, use }]) => ({ address: addressAt(value.cidr, ordinal), handle, use }))
  }
}

function poolOf(pools: readonly IpPool[], block: Prefix): IpPool | undefined {
  return pools.find(pool => covers(pool.cidr, block))
}

/** A document that nobody can read counts as absent or lost: one of them must not stop the rest. */
async function readable<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading
  } catch (reason) {
    if (reason instanceof Fault && reason.code === 'datastore.unreadable') return undefined
    throw reason
  }
}
