/** Several nodes, two processes of one node, people and crashes, in any order: what must hold holds after every single write. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatIpv4 } from '@network/base/net/ipv4.ts'
import { contains, formatPrefix, prefix } from '@network/base/net/prefix.ts'
import { seededRandom } from '@network/base/testing/seeded-random.ts'
import { BLOCK_AFFINITY } from '@network/model/resources/block-affinity.ts'
import { IP_POOL } from '@network/model/resources/ip-pool.ts'
import { IP_RESERVATION, IPAM_CONFIGURATION } from '@network/model/resources/ipam.ts'
import { IPAM_BLOCK } from '@network/model/resources/ipam-block.ts'
import { keyPrefixOf, metadataOf } from '@network/model/resources/kind.ts'
import fc from 'fast-check'
import { deleteNode } from '../nodes.ts'
import { deletePool } from '../pools.ts'
import { createOf } from '../records.ts'
import { impatientClock } from '../testing/impatient-clock.ts'
import { MemoryStore } from '../testing/memory.ts'
import { Crash, type Schedule, ScheduledStore } from '../testing/scheduled.ts'
import { Ipam } from './ipam.ts'
import { ipamUsage } from './usage.ts'

const { signal } = new AbortController()
const options = { signal }
const RESERVED = '10.1.0.6/31'

type Op = { readonly op: 'assign' | 'release'; readonly handle: number }

interface Actor {
  readonly node: 'a' | 'b' | 'c'
  readonly ops: readonly Op[]
  /** Calls to the store that are answered before this process dies, again and again. */
  readonly crashes: readonly { readonly after: number; readonly fate: 'crashes-before' | 'crashes-after' }[]
}

interface Cast {
  readonly actors: readonly Actor[]
  /** How often somebody else rewrites a document at a random moment. */
  readonly touches: readonly number[]
  readonly deletedNode: 'a' | undefined
  readonly deletedPool: 'first' | undefined
  readonly strictAffinity: boolean
}

const actor: fc.Arbitrary<Actor> = fc.record({
  node: fc.constantFrom('a', 'a', 'b', 'c'),
  ops: fc.array(fc.record({ op: fc.constantFrom('assign', 'assign', 'release'), handle: fc.nat(3) }), {
    minLength: 1,
    maxLength: 6,
  }),
  crashes: fc.array(fc.record({ after: fc.nat(20), fate: fc.constantFrom('crashes-before', 'crashes-after') }), { maxLength: 3 }),
})

const cast: fc.Arbitrary<Cast> = fc.record({
  actors: fc.array(actor, { minLength: 2, maxLength: 4 }),
  touches: fc.array(fc.nat(), { maxLength: 10 }),
  deletedNode: fc.constantFrom('a', undefined, undefined),
  deletedPool: fc.constantFrom('first', undefined, undefined),
  strictAffinity: fc.boolean(),
})

test('no order of events gives an address twice, confirms a block that is not there, or leaves what nobody can free', async () => {
  let borrowed = 0
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), cast, async (scheduler, wanted) => {
      const stage = new Stage(wanted, label => scheduler.schedule(Promise.resolve(), label))
      await stage.build()
      await scheduler.waitFor(stage.play())
      await stage.closing()
      borrowed += stage.borrowed
    }),
    { numRuns: 300, seed: 1 },
  )
  assert.ok(borrowed > 0, 'P0: some addresses were borrowed')
})

class Stage {
  readonly #store = new MemoryStore()
  readonly #cast: Cast
  /** Addresses that were in use at the end out of other nodes' blocks. */
  borrowed = 0
  readonly #turn: (label: string) => Promise<void>
  /** Handle → address, as acknowledged and not given back since. */
  readonly #acknowledged = new Map<string, { readonly address: string; readonly node: string }>()

  constructor(wanted: Cast, turn: (label: string) => Promise<void>) {
    this.#cast = wanted
    this.#turn = turn
  }

  async build(): Promise<void> {
    const pools = [
      { name: 'second', cidr: prefix('10.1.0.0/29') },
      { name: 'first', cidr: prefix('10.0.0.0/30') },
    ]
    for (const pool of pools)
      await createOf(
        this.#store,
        IP_POOL,
        { ...pool, blockSize: 31, ipipMode: 'Never', vxlanMode: 'Never', natOutgoing: false, disabled: false },
        options,
      )
    const spec = {
      strictAffinity: this.#cast.strictAffinity,
      autoAllocateBlocks: true,
      maxBlocksPerHost: 2,
      ipCooldownSeconds: 0,
    }
    await createOf(this.#store, IPAM_CONFIGURATION, { metadata: metadataOf('default'), spec, status: undefined }, options)
    await createOf(
      this.#store,
      IP_RESERVATION,
      { metadata: metadataOf('kept'), spec: { reservedCIDRs: [prefix(RESERVED)] }, status: undefined },
      options,
    )
  }

  async play(): Promise<void> {
    const { actors, touches, deletedNode, deletedPool } = this.#cast
    const person = new ScheduledStore(this.#store, 'person', this.#schedule([]))
    await Promise.all([
      ...actors.map((one, n) => this.#act(one, n)),
      ...touches.map(nth => this.#touch(nth)),
      deletedNode === undefined ? undefined : deleteNode(person, deletedNode, options),
      deletedPool === undefined ? undefined : deletePool(person, deletedPool, options),
    ])
  }

  /** After the storm: what was acknowledged is there and advertised, and all of it can be freed. */
  async closing(): Promise<void> {
    const nodes = ['a', 'b', 'c']
    const kept = new Set(this.#acknowledged.keys())
    for (const node of nodes) await this.#ipam(this.#store, node).releaseUnused(kept, options)
    const usage = await ipamUsage(this.#store, options)
    const there = new Map(usage.addresses.map(one => [one.handle, one]))
    for (const [handle, { address, node }] of this.#acknowledged) {
      const found = there.get(handle)
      assert.ok(found !== undefined, `${address} of ${handle} was acknowledged and is gone`)
      assert.equal(`${formatIpv4(found.address)} ${found.node}`, `${address} ${node}`)
      assert.notEqual(found.pool, undefined, `${address} lies in a pool that was deleted`)
      const block = usage.blocks.find(({ cidr }) => contains(cidr, found.address))
      // What is borrowed is advertised by itself.
      if (block?.node === node) assert.equal(block.affinity, 'confirmed', `${address} is in use and not advertised`)
      else this.borrowed++
      if (block?.node !== node) assert.equal(this.#cast.strictAffinity, false, `${address} was borrowed`)
    }
    if (this.#cast.deletedNode === undefined) assert.equal(usage.addresses.length, kept.size, 'an address has leaked')
    for (const node of nodes) await this.#ipam(this.#store, node).releaseUnused(new Set(), options)
    assert.ok((await ipamUsage(this.#store, options)).addresses.every(({ node }) => node === this.#cast.deletedNode))
    for (const node of nodes) await deleteNode(this.#store, node, options)
    const configured = [IP_POOL, IPAM_CONFIGURATION, IP_RESERVATION].map(({ plural }) => keyPrefixOf(plural))
    const left = [...this.#store.entries.keys()].filter(key => !configured.some(prefix => key.startsWith(prefix)))
    assert.deepEqual(left, [])
  }

  async #act({ node, ops, crashes }: Actor, n: number): Promise<void> {
    const store = new ScheduledStore(this.#store, `${node}${n}`, this.#schedule(crashes))
    for (const { op, handle: nth } of ops) {
      const handle = `${n}-${nth}`
      const ipam = this.#ipam(store, node)
      try {
        await (op === 'assign' ? this.#assign(ipam, node, handle) : this.#release(ipam, handle))
      } catch (reason) {
        if (!(reason instanceof Crash)) throw reason
      }
    }
  }

  async #assign(ipam: Ipam, node: string, handle: string): Promise<void> {
    const got = await ipam.assign({ handle, use: 'test', signal })
    if (got.is !== 'assigned' || node === this.#cast.deletedNode) return
    const address = formatIpv4(got.address)
    assert.ok(!contains(prefix(RESERVED), got.address), `${address} is reserved`)
    for (const [other, taken] of this.#acknowledged)
      assert.ok(other === handle || taken.address !== address, `${address} is ${other}'s and was given to ${handle} as well`)
    this.#acknowledged.set(handle, { address, node })
  }

  async #release(ipam: Ipam, handle: string): Promise<void> {
    this.#acknowledged.delete(handle)
    await ipam.release(handle, options)
  }

  /** Makes somebody's compare-and-swap fail. */
  async #touch(nth: number): Promise<void> {
    await this.#turn('touch')
    const entries = [...this.#store.entries.values()]
    const entry = entries[nth % entries.length]
    if (entry !== undefined) await this.#store.update(entry.key, entry.document, entry.revision, options)
  }

  #ipam(store: MemoryStore | ScheduledStore, node: string): Ipam {
    return new Ipam(store, node, { clock: impatientClock, random: seededRandom(1) })
  }

  #schedule(crashes: Actor['crashes']): Schedule {
    const ahead = [...crashes]
    let answered = 0
    return {
      turn: this.#turn,
      look: label => this.#look(label),
      fate: () => {
        const next = ahead[0]
        if (next === undefined || answered++ < next.after) return 'lives'
        ahead.shift()
        answered = 0
        return next.fate
      },
    }
  }

  /** Holds at every instant: what is advertised has a block, of the same node. */
  #look(label: string): void {
    const entries = this.#store.entries
    for (const { key, document } of entries.values()) {
      if (!key.startsWith(keyPrefixOf(BLOCK_AFFINITY.plural))) continue
      const affinity = BLOCK_AFFINITY.parse(document)
      assert.ok(affinity.ok)
      if (affinity.value.state !== 'confirmed') continue
      const block = IPAM_BLOCK.parse(entries.get(key.replace(BLOCK_AFFINITY.plural, IPAM_BLOCK.plural))?.document)
      const where = `${formatPrefix(affinity.value.block)} after ${label}`
      assert.ok(block.ok, `${where} is confirmed and has no block`)
      assert.equal(block.value.node, affinity.value.node, `${where} is confirmed for another node`)
    }
  }
}
