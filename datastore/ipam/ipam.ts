/**
 * Addresses for one node: taken from blocks that the node owns, claimed from pools when they are full, given back when empty. Where the
 * cluster allows it, a node that can claim nothing borrows from another's block; its owner never changes by that.
 */

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
import { type Adopted, type Adoption, tryAdopt } from './adopt.ts'
import { addressAt, allocate, blockOf, blocksFor, ordinalFor, release } from './blocks.ts'
import { claim, mend, vacate } from './claim.ts'
import { readable } from './readable.ts'
import { hasRoom, isReserved, readTerms, type Terms } from './terms.ts'
import { Turns } from './turns.ts'

export interface Request {
  /** What the address is released by; asking again with the same handle gives the same address. */
  readonly handle: string
  /** `namespace/pod`, or `tunnel`. */
  readonly use: string
  /** Not to be given, free as they may look. */
  readonly avoid?: ReadonlySet<Ipv4>
  readonly signal: AbortSignal
}

export type Assignment =
  /** `pool` is empty when the pool's document cannot be read. */
  | { readonly is: 'assigned'; readonly address: Ipv4; readonly pool: string; readonly block: Prefix }
  /** No pool, or none that is open to this node and use. */
  | { readonly is: 'no-pool' }
  /** Nothing is free in these pools that this node may take. */
  | { readonly is: 'pools-full'; readonly pools: readonly string[] }

/** An address that somebody has, or that was given back, and what it is or was for. */
export interface Taken {
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

  /** Takes one address that the node has given out already. */
  adopt(wanted: Adoption): Promise<Adopted> {
    return this.#untilSettled('write down', wanted.use, wanted, () => tryAdopt(this.#store, this.#node, wanted))
  }

  /** What the node has in its own blocks. */
  held(options: Options): Promise<readonly Taken[]> {
    return this.#untilSettled('read the addresses of', `node ${this.#node}`, options, async () => {
      const blocks = await this.#ownBlocks(await listOf(this.#store, BLOCK_AFFINITY, options), options)
      if (blocks === 'lost') return 'lost'
      return blocks.flatMap(({ value: { cidr, allocations } }) =>
        [...allocations]
          .filter(([, { node }]) => node === this.#node)
          .map(([ordinal, { handle, use }]) => ({ address: addressAt(cidr, ordinal), handle, use })),
      )
    })
  }

  /**
   * Frees what the handle has, if anything, and gives up blocks that become empty. `known` are addresses that it is thought to have: one
   * that was borrowed is looked for where it lies.
   */
  async release(handle: string, options: Options & { readonly known?: readonly Ipv4[] }): Promise<readonly Ipv4[]> {
    const lent = () => this.#lenders(options.known ?? [], options)
    const released = await this.#releaseWhere(allocation => allocation.handle === handle, { on: handle, lent }, options)
    return released.map(({ address }) => address)
  }

  /**
   * Frees what nobody answers for any more: what a crash left between taking an address and recording its use. `used` are the handles that
   * stay. Call it only while no request is between `assign` and the record of its use.
   */
  releaseUnused(used: ReadonlySet<string>, options: Options): Promise<readonly Taken[]> {
    const lent = () => this.#foreignBlocks(options)
    return this.#releaseWhere(({ handle }) => !used.has(handle), { on: `node ${this.#node}`, lent }, options)
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
    const terms = await readTerms(this.#store, this.#node, request.use, request)
    const lent = terms.mayBorrow ? await this.#foreignBlocks(request) : []
    const had = await this.#alreadyAssigned([...blocks, ...lent], terms.pools, request)
    if (had !== undefined) return had
    if (terms.open.length === 0) return { is: 'no-pool' }
    const taken = await this.#takeFromOneOf(blocks, terms, request)
    if (taken !== undefined) return taken
    const claimed = blocks.length < terms.maxBlocks && (await this.#claimAnother(terms, affinities, request))
    if (claimed) return 'lost'
    const lenders = lent.filter(({ value: { cidr, node } }) => isOwnedBy(affinities, cidr, node))
    return (await this.#takeFromOneOf(lenders, terms, request)) ?? { is: 'pools-full', pools: terms.open.map(({ name }) => name) }
  }

  /** Undefined when none of the blocks has an address to give. */
  async #takeFromOneOf(
    blocks: readonly Stored<IpamBlock>[],
    terms: Terms,
    request: Request,
  ): Promise<Assignment | 'lost' | undefined> {
    for (const block of blocks) {
      const pool = poolOf(terms.open, block.value.cidr)
      const { handle, use, avoid } = request
      const may = (address: Ipv4) => !isReserved(address, terms.reserved) && avoid?.has(address) !== true
      const taken = pool && allocate(block.value, { handle, use, node: this.#node }, may)
      if (pool !== undefined && taken !== undefined) return this.#take(block, taken, pool, request)
    }
    return undefined
  }

  /** Blocks of other nodes, in order of address. */
  async #foreignBlocks(options: Options): Promise<readonly Stored<IpamBlock>[]> {
    const { read } = await listOf(this.#store, IPAM_BLOCK, options)
    return read.filter(({ value }) => value.node !== this.#node).sort((a, b) => comparePrefixes(a.value.cidr, b.value.cidr))
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
      const ordinal = ordinalFor(block, request.handle, this.#node)
      if (ordinal === undefined) continue
      const pool = pools.read.find(({ value }) => covers(value.cidr, block.cidr))
      if (pool === undefined && pools.junk.length === 0) {
        await this.#giveBack(key, request.handle, request)
        return 'lost'
      }
      if (!(await this.#isRouted(block, request))) return 'lost'
      return { is: 'assigned', address: addressAt(block.cidr, ordinal), pool: pool?.value.name ?? '', block: block.cidr }
    }
    return undefined
  }

  async #take(
    block: Stored<IpamBlock>,
    taken: { readonly block: IpamBlock; readonly ordinal: number },
    pool: IpPool,
    request: Request,
  ): Promise<Assignment | 'lost'> {
    const { cidr } = block.value
    if (!(await this.#isRouted(block.value, request))) return 'lost'
    const written = await updateOf(this.#store, IPAM_BLOCK, { ...block, value: taken.block }, request)
    if (written.is !== 'written') return 'lost'
    if (!(await this.#isStillOpen(pool, request))) {
      await this.#giveBack(block.key, request.handle, request)
      return 'lost'
    }
    if (!(await this.#isRouted(block.value, request))) return 'lost'
    return { is: 'assigned', address: addressAt(cidr, taken.ordinal), pool: pool.name, block: cidr }
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
      if (
        block === undefined ||
        (await this.#freeFrom(block, one => one.handle === handle && one.node === this.#node, options)) !== 'lost'
      )
        return
    }
  }

  /**
   * An address may be used only when its block is advertised: a block given up at this moment has to be confirmed again. What is borrowed is
   * advertised by itself, whatever becomes of the block's affinity.
   */
  async #isRouted({ cidr, node }: IpamBlock, options: Options): Promise<boolean> {
    if (node !== this.#node) return true
    const affinity = await getOf(this.#store, BLOCK_AFFINITY, affinityKey(cidr), options)
    if (affinity?.value.node !== this.#node) return false
    return affinity.value.state === 'confirmed' || (await mend(this.#store, affinity, options)) === 'done'
  }

  /** True when a claim was tried: look again. */
  async #claimAnother({ open, reserved }: Terms, known: Records<BlockAffinity>, options: Options): Promise<boolean> {
    const claims = new Map(known.read.map(({ key, value }) => [key, value.state]))
    for (const { key } of known.junk) claims.set(key, 'confirmed')
    for (const pool of open) {
      const untouched = blocksFor(this.#node, pool).find(block => !claims.has(affinityKey(block)) && hasRoom(block, reserved))
      if (untouched === undefined) continue
      await readable(claim(this.#store, untouched, this.#node, options))
      return true
    }
    return this.#takeOver(open, claims, options)
  }

  /** Last resort: claims that others began and perhaps never finished. */
  async #takeOver(pools: readonly IpPool[], claims: ReadonlyMap<string, string>, options: Options): Promise<boolean> {
    for (const pool of pools)
      for (const block of blocksFor(this.#node, pool)) {
        if (claims.get(affinityKey(block)) !== 'pending') continue
        const outcome = await readable(claim(this.#store, block, this.#node, options))
        if (outcome === 'done' || outcome === 'lost') return true
      }
    return false
  }

  /** Where borrowing is allowed, all blocks of others; else those that the addresses lie in. */
  async #lenders(known: readonly Ipv4[], options: Options): Promise<readonly Stored<IpamBlock>[]> {
    const { pools, mayBorrow } = await readTerms(this.#store, this.#node, '', options)
    if (mayBorrow) return this.#foreignBlocks(options)
    const blocks = known.flatMap(address => pools.read.flatMap(({ value }) => blockOf(value, address) ?? []))
    const read = await Promise.all(blocks.map(block => readable(getOf(this.#store, IPAM_BLOCK, ipamBlockKey(block), options))))
    return read.filter(block => block !== undefined && block.value.node !== this.#node).filter(block => block !== undefined)
  }

  #releaseWhere(
    unused: (allocation: Allocation) => boolean,
    { on, lent }: { readonly on: string; readonly lent: () => Promise<readonly Stored<IpamBlock>[]> },
    options: Options,
  ): Promise<readonly Taken[]> {
    const released: Taken[] = []
    const mine = (allocation: Allocation) => allocation.node === this.#node && unused(allocation)
    return this.#untilSettled('release the addresses of', on, options, async () => {
      const blocks = await this.#ownBlocks(await listOf(this.#store, BLOCK_AFFINITY, options), options)
      if (blocks === 'lost') return 'lost'
      const borrowed = (await lent()).filter(({ value }) => [...value.allocations.values()].some(mine))
      for (const block of [...blocks, ...borrowed]) {
        const freed = await this.#freeFrom(block, mine, options)
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
  ): Promise<readonly Taken[] | 'lost'> {
    const { block: value, ordinals } = release(block.value, unused)
    let { revision } = block
    if (ordinals.length > 0) {
      const written = await updateOf(this.#store, IPAM_BLOCK, { ...block, value }, options)
      if (written.is !== 'written') return 'lost'
      revision = written.revision
    }
    if (value.allocations.size === 0) await vacate(this.#store, { ...block, value, revision }, options)
    return [...block.value.allocations]
      .filter(([ordinal]) => ordinals.includes(ordinal))
      .map(([ordinal, { handle, use }]) => ({ address: addressAt(value.cidr, ordinal), handle, use }))
  }
}

function isOwnedBy({ read }: Records<BlockAffinity>, block: Prefix, node: string): boolean {
  return read.some(({ value }) => value.node === node && value.state === 'confirmed' && samePrefix(value.block, block))
}

function poolOf(pools: readonly IpPool[], block: Prefix): IpPool | undefined {
  return pools.find(pool => covers(pool.cidr, block))
}
