/** Pods come and go while the datastore does, agents are killed, others borrow and meddle, in any order: no two live pods have one address. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { formatIpv4, type Ipv4 } from '@network/base/net/ipv4.ts'
import { contains } from '@network/base/net/prefix.ts'
import { addressAt, allocate, release } from '@network/datastore/ipam/blocks.ts'
import { ipamUsage } from '@network/datastore/ipam/usage.ts'
import { deleteNode } from '@network/datastore/nodes.ts'
import { setPool } from '@network/datastore/pools.ts'
import { listOf, updateOf } from '@network/datastore/records.ts'
import { IPAM_BLOCK } from '@network/model/resources/ipam-block.ts'
import { WORKLOAD_ENDPOINT, type WorkloadEndpoint } from '@network/model/resources/workload-endpoint.ts'
import { OTHER, POOL, SELF, World } from '../testing/away-world.ts'
import { addressHandle, interfaceOf, tunnelHandle } from '../workload/names.ts'

const directory = mkdtempSync(join(tmpdir(), 'cali-away-'))
after(() => rmSync(directory, { recursive: true }))

const { signal } = new AbortController()
const PODS = 5
const OPS = 60

/** What the storms had to show, lest they prove nothing. */
interface Sum {
  givenAway: number
  refusedAway: number
  killedOwing: number
  borrowed: number
  conflicts: number
}

test('in strict clusters no order of calls, absences, lost answers and deaths gives an address twice or loses a pod', async () => {
  const sum = await storms({ seeds: 60, first: 1, strictAffinity: true, meddling: false })
  assert.ok(sum.givenAway > 50, `P0: ${sum.givenAway} pods came without the datastore`)
  assert.ok(sum.killedOwing > 5, `P0: ${sum.killedOwing} agents died with something to tell`)
})

test('where others may borrow, nothing is given without the datastore', async () => {
  const sum = await storms({ seeds: 25, first: 1001, strictAffinity: false, meddling: false })
  assert.equal(sum.givenAway, 0)
  assert.ok(sum.refusedAway > 10, `P0: ${sum.refusedAway} were refused`)
  assert.ok(sum.borrowed > 0, `P0: ${sum.borrowed} addresses were borrowed`)
})

test('whatever people do meanwhile, nobody’s address is written over, and who is in the way is told', async () => {
  const sum = await storms({ seeds: 50, first: 2001, strictAffinity: true, meddling: true })
  assert.ok(sum.conflicts > 3, `P0: ${sum.conflicts} conflicts`)
})

interface Weather {
  readonly seeds: number
  readonly first: number
  readonly strictAffinity: boolean
  readonly meddling: boolean
}

async function storms(weather: Weather): Promise<Sum> {
  const { seeds, first, strictAffinity } = weather
  const sum: Sum = { givenAway: 0, refusedAway: 0, killedOwing: 0, borrowed: 0, conflicts: 0 }
  for (let seed = first; seed < first + seeds; seed++) {
    // Where others are to borrow, room is scarce.
    const cidr = strictAffinity ? '10.0.0.0/27' : '10.0.0.0/28'
    const world = new World({ seed, directory, strictAffinity, cidr, hasTunnel: seed % 2 === 0 })
    const storm = new Storm(world, weather, sum)
    try {
      await storm.blow()
    } catch (reason) {
      throw new Error(`seed ${seed}:\n${storm.story.join('\n')}`, { cause: reason })
    }
  }
  return sum
}

/** What a pod's calls have come to; `unknown` after one that failed or was cut off. */
type Standing = string | 'none' | 'unknown'

class Storm {
  readonly story: string[] = []
  readonly #world: World
  readonly #weather: Weather
  readonly #sum: Sum
  readonly #standing = new Map<string, Standing>()
  readonly #results = new Map<string, Readonly<Record<string, unknown>>>()
  readonly #containers = new Map<string, string[]>()
  /** The last call of each pod: they come one after another. */
  readonly #calls = new Map<string, Promise<void>>()
  readonly #others = new Map<string, Ipv4>()
  /** Addresses that were told to be in conflict. */
  readonly #told = new Set<string>()
  #serial = 0

  constructor(world: World, weather: Weather, sum: Sum) {
    this.#world = world
    this.#weather = weather
    this.#sum = sum
  }

  async blow(): Promise<void> {
    const world = this.#world
    await world.build()
    world.life.copy()
    await world.quiet()
    for (let n = 0; n < OPS; n++) {
      await this.#one()
      this.#judge()
    }
    await this.#calm()
    await this.#close()
  }

  async #one(): Promise<void> {
    const world = this.#world
    const acts: readonly (readonly [weight: number, act: () => unknown])[] = [
      [9, () => this.#add()],
      [5, () => this.#del()],
      [2, () => this.#check()],
      [1, () => this.#collect()],
      [3, () => this.#go()],
      [1, () => this.#set({ cut: true })],
      [1, () => this.#set({ deaf: true })],
      [3, () => this.#set({ cut: false, deaf: false, lost: 0 })],
      [2, () => this.#kill()],
      [2, () => this.#light()],
      [2, () => world.life.copy()],
      [this.#weather.strictAffinity ? 3 : 15, () => this.#otherNode()],
      [8, () => world.quiet()],
      [this.#weather.meddling ? 3 : 0, () => this.#meddle()],
    ]
    await this.#pick(acts)()
    for (let left = this.#roll(6); left > 0; left--) await new Promise(setImmediate)
  }

  #pick(acts: readonly (readonly [weight: number, act: () => unknown])[]): () => unknown {
    let left = this.#roll(acts.reduce((sum, [weight]) => sum + weight, 0))
    for (const [weight, act] of acts) {
      if (left < weight) return act
      left -= weight
    }
    return () => undefined
  }

  #roll(below: number): number {
    return Math.floor(this.#world.random() * below)
  }

  #go(): void {
    this.#set({ cut: true, deaf: true, lost: this.#roll(3) })
  }

  #set(way: Parameters<World['set']>[0]): void {
    this.story.push(`way ${JSON.stringify(way)}`)
    this.#world.set(way)
  }

  #kill(): void {
    if (this.#world.life.ledger.unwritten.length > 0) this.#sum.killedOwing++
    this.story.push('kill')
    this.#world.kill()
    void this.#world.life
  }

  #light(): void {
    const steps = this.#roll(12)
    this.story.push(`fuse ${steps}`)
    this.#world.life.endAfter(steps)
  }

  #podName(): string {
    return `p${this.#roll(PODS)}`
  }

  #add(): void {
    const pod = this.#podName()
    const known = this.#containers.get(pod) ?? []
    const container = known.length > 0 && this.#roll(4) === 0 ? (known.at(-1) ?? '') : `${pod}-${this.#serial++}`
    if (!known.includes(container)) this.#containers.set(pod, [...known, container])
    this.#queue(pod, async () => {
      const { life } = this.#world
      const isAway = () => life.cluster.status.state === 'stale'
      const before = isAway()
      this.story.push(`ADD ${pod} ${container}${before ? ' away' : ''}`)
      const reply = await life.call('ADD', pod, container)
      const code = reply?.body?.['code']
      this.story.push(`ADD ${pod} ${container}: ${JSON.stringify(reply?.body?.['ips'] ?? reply?.body?.['msg'] ?? 'died')}`)
      if (before && isAway() && reply?.exitCode === 0) this.#sum.givenAway++
      if (before && isAway() && code === 11) this.#sum.refusedAway++
      this.#standing.set(pod, reply?.exitCode === 0 ? container : 'unknown')
      if (reply?.exitCode === 0 && reply.body !== null) this.#results.set(container, reply.body)
    })
  }

  #del(): void {
    const pod = this.#podName()
    const known = this.#containers.get(pod) ?? []
    const container = known[known.length - 1 - this.#roll(Math.min(2, known.length))] ?? `${pod}-never`
    this.#queue(pod, async () => {
      this.story.push(`DEL ${pod} ${container}`)
      const reply = await this.#world.life.call('DEL', pod, container)
      this.story.push(
        `DEL ${pod} ${container}: ${reply?.exitCode === 0 ? 'done' : JSON.stringify(reply?.body?.['msg'] ?? 'died')}`,
      )
      const standing = this.#standing.get(pod) ?? 'none'
      if (reply?.exitCode === 0) this.#standing.set(pod, standing === container ? 'none' : standing)
      else if (standing === container) this.#standing.set(pod, 'unknown')
    })
  }

  /** What ADD answered is what CHECK finds, with the datastore or without it. */
  #check(): void {
    const pod = this.#podName()
    this.#queue(pod, async () => {
      const container = this.#standing.get(pod) ?? 'none'
      const prevResult = this.#results.get(container)
      if (prevResult === undefined || this.#weather.meddling) return
      const reply = await this.#world.life.call('CHECK', pod, container, { prevResult })
      if (reply === undefined || reply.exitCode === 0) return
      assert.equal(reply.body?.['code'], 11, `CHECK ${container}: ${JSON.stringify(reply.body)}`)
    })
  }

  #collect(): void {
    const stays = [...this.#containers.values()].flatMap(all => all.slice(-1))
    this.story.push(`GC but ${stays.join(' ')}`)
    const valid = stays.map(containerID => ({ containerID, ifname: 'eth0' }))
    void this.#world.life.call('GC', '', '', { 'cni.dev/valid-attachments': valid })
  }

  #queue(pod: string, work: () => Promise<void>): void {
    const before = this.#calls.get(pod) ?? Promise.resolve()
    this.#calls.set(pod, before.then(work))
  }

  async #otherNode(): Promise<void> {
    const handles = [...this.#others.keys()]
    if (handles.length > 0 && this.#roll(3) === 0) {
      const handle = handles[this.#roll(handles.length)] ?? ''
      const address = this.#others.get(handle)
      this.#others.delete(handle)
      await this.#world.other.release(handle, { signal, ...(address === undefined ? {} : { known: [address] }) })
      return
    }
    const handle = `b-${this.#serial++}`
    const got = await this.#world.other.assign({ handle, use: 'far/pod', signal })
    if (got.is !== 'assigned') return
    this.story.push(`${OTHER} has ${formatIpv4(got.address)}`)
    this.#others.set(handle, got.address)
    const usage = await ipamUsage(this.#world.store, { signal })
    if (usage.blocks.find(({ cidr }) => contains(cidr, got.address))?.node === SELF) this.#sum.borrowed++
  }

  /** People. */
  async #meddle(): Promise<void> {
    const { store } = this.#world
    await this.#pick([
      [
        1,
        async () => {
          this.story.push('the node is deleted')
          await deleteNode(store, SELF, { signal })
        },
      ],
      [3, () => this.#rewriteBlock('release')],
      [3, () => this.#rewriteBlock('take')],
      [1, () => setPool(store, POOL.name, { disabled: this.#roll(2) === 0 }, { signal })],
    ])()
  }

  async #rewriteBlock(how: 'release' | 'take'): Promise<void> {
    const { store } = this.#world
    const { read } = await listOf(store, IPAM_BLOCK, { signal })
    const block = read.find(({ value }) => value.node === SELF)
    if (block === undefined) return
    const { value } = block
    const owed = this.#world.life.ledger.living.flatMap(({ standing, address }) => (standing === 'owed' ? (address ?? []) : []))
    // Mostly just what hurts.
    const wanted = owed.find(address => contains(value.cidr, address))
    const [ordinal, allocation] = [...value.allocations].find(([, one]) => one.use !== 'tunnel' && one.node === SELF) ?? []
    const rewritten =
      how === 'release'
        ? release(value, one => one === allocation).block
        : allocate(
            value,
            { handle: `admin-${this.#serial++}`, use: 'by/hand', node: OTHER },
            address => wanted === undefined || address === wanted,
          )?.block
    if (rewritten === undefined) return
    this.story.push(
      `by hand: ${how} ${how === 'release' && ordinal !== undefined ? formatIpv4(addressAt(value.cidr, ordinal)) : ''}`,
    )
    await updateOf(store, IPAM_BLOCK, { ...block, value: rewritten }, { signal })
  }

  /** Holds at every moment. */
  #judge(): void {
    for (const { about } of this.#world.life.bookkeeper.account.conflicts) {
      if (!this.#told.has(about)) this.#sum.conflicts++
      this.#told.add(about)
    }
    const here = [...this.#world.pods.pairs.values()].flatMap(({ address }) => address ?? [])
    assert.equal(new Set(here).size, here.length, `twice here: ${here.map(formatIpv4)}`)
    if (this.#weather.meddling) return
    const there = [...this.#others.values()]
    const all = [...here, ...there]
    assert.equal(new Set(all).size, all.length, `twice: here ${here.map(formatIpv4)}, there ${there.map(formatIpv4)}`)
  }

  /** One more life with the datastore there: all agree with each other and with what the calls came to. */
  async #calm(): Promise<void> {
    const world = this.#world
    this.story.push('calm')
    this.#set({ cut: false, deaf: false, lost: 0 })
    for (let round = 0; round < 4; round++) await world.quiet()
    await Promise.all(this.#calls.values())
    world.kill()
    void world.life
    for (let round = 0; round < 6; round++) await world.quiet()
    const { life } = world
    assert.equal(life.cluster.status.state, 'in-sync')
    await life.workloads.tidy(signal)
    await world.quiet()
    this.#judge()
    const { conflicts, unwritten } = life.bookkeeper.account
    assert.equal(unwritten, conflicts.length, JSON.stringify([...life.ledger.entries.values()]))
    for (const { says } of conflicts) this.story.push(says)
    if (!this.#weather.meddling) await this.#agree()
    else await this.#nothingIsWrittenOver()
  }

  async #agree(): Promise<void> {
    const { pods, life } = this.#world
    assert.deepEqual(life.bookkeeper.account.conflicts, [])
    const endpoints = await this.#endpoints()
    const { addresses } = await ipamUsage(this.#world.store, { signal })
    const here = addresses.filter(({ node, handle }) => node === SELF && handle !== tunnelHandle(SELF))
    assert.deepEqual(here.map(({ handle, address }) => `${handle} ${formatIpv4(address)}`).sort(), endpoints.map(line).sort())
    assert.deepEqual(
      [...pods.pairs].map(([name, { address }]) => `${name} ${address === undefined ? 'half done' : formatIpv4(address)}`).sort(),
      endpoints.map(({ interfaceName, addresses }) => `${interfaceName} ${addresses.map(formatIpv4)}`).sort(),
    )
    assert.deepEqual(
      [...life.ledger.entries.keys()].sort(),
      [
        ...here.map(({ handle }) => handle),
        ...(addresses.some(({ handle }) => handle === tunnelHandle(SELF)) ? [tunnelHandle(SELF)] : []),
      ].sort(),
      'the ledger',
    )
    for (const [pod, standing] of this.#standing) {
      if (standing === 'unknown') continue
      const found = endpoints.find(endpoint => endpoint.pod === pod)?.containerId ?? 'none'
      assert.equal(found, standing, `${pod} stands`)
    }
  }

  /** Whoever has an address by the datastore's word keeps it; a live pod that the datastore has not is told of. */
  async #nothingIsWrittenOver(): Promise<void> {
    const { addresses } = await ipamUsage(this.#world.store, { signal })
    for (const [handle, address] of this.#others)
      assert.ok(
        addresses.some(one => one.handle === handle && one.address === address),
        `${handle} keeps ${formatIpv4(address)}`,
      )
    const { conflicts } = this.#world.life.bookkeeper.account
    const handles = new Map(addresses.map(one => [one.address, one]))
    for (const { standing, address, handle } of this.#world.life.ledger.living) {
      if (standing !== 'owed' || address === undefined) continue
      assert.notEqual(handles.get(address)?.handle, handle)
      assert.ok(
        conflicts.some(({ about }) => about === formatIpv4(address)),
        `${formatIpv4(address)} is told of`,
      )
    }
  }

  /** Everything can be taken away, and then there is nothing. */
  async #close(): Promise<void> {
    const { life, store, other } = this.#world
    for (const [pod, containers] of this.#containers)
      for (const container of containers) {
        const reply = await life.call('DEL', pod, container)
        assert.equal(reply?.exitCode, 0, JSON.stringify(reply?.body))
      }
    for (const [handle, address] of this.#others) await other.release(handle, { signal, known: [address] })
    await this.#world.quiet()
    await life.workloads.tidy(signal)
    const { addresses } = await ipamUsage(store, { signal })
    const left = addresses.filter(({ handle }) => handle !== tunnelHandle(SELF) && !handle.startsWith('admin-'))
    assert.deepEqual(left, [], 'an address has leaked')
    assert.deepEqual(await this.#endpoints(), [])
    assert.deepEqual([...this.#world.pods.pairs.keys()], [])
    assert.deepEqual(
      [...life.ledger.entries.keys()].filter(handle => handle !== tunnelHandle(SELF)),
      [],
      'the ledger',
    )
  }

  async #endpoints(): Promise<readonly WorkloadEndpoint[]> {
    const { read } = await listOf(this.#world.store, WORKLOAD_ENDPOINT, { signal })
    return read.map(({ value }) => value).filter(({ node }) => node === SELF)
  }
}

function line(endpoint: WorkloadEndpoint): string {
  return `${addressHandle(interfaceOf(endpoint))} ${endpoint.addresses.map(formatIpv4)}`
}
