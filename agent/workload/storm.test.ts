/** CNI calls in any order, doubled, abandoned, with crashes between any two steps, against a model: nothing leaks. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatIpv4, type Ipv4 } from '@network/base/net/ipv4.ts'
import { prefix } from '@network/base/net/prefix.ts'
import { silentLog } from '@network/base/run/log.ts'
import { seededRandom } from '@network/base/testing/seeded-random.ts'
import { Ipam } from '@network/datastore/ipam/ipam.ts'
import { ipamUsage } from '@network/datastore/ipam/usage.ts'
import { createOf, listOf } from '@network/datastore/records.ts'
import { impatientClock } from '@network/datastore/testing/impatient-clock.ts'
import { MemoryStore } from '@network/datastore/testing/memory.ts'
import { Crash, ScheduledStore } from '@network/datastore/testing/scheduled.ts'
import type { CniReply } from '@network/model/cni.ts'
import { IP_POOL } from '@network/model/resources/ip-pool.ts'
import { WORKLOAD_ENDPOINT, type WorkloadEndpoint } from '@network/model/resources/workload-endpoint.ts'
import fc from 'fast-check'
import { fakeBooks } from '../testing/fake-books.ts'
import { FakePods, type Step } from '../testing/fake-pods.ts'
import { addressHandle, interfaceOf, tunnelHandle } from './names.ts'
import type { Circumstances } from './readiness.ts'
import { Workloads } from './workloads.ts'

const CIRCUMSTANCES: Circumstances = {
  node: 'a',
  datastore: { url: 'memory:', state: 'in-sync', since: '2026-01-01T00:00:00Z', error: null },
  pools: new Map(),
  registered: true,
}

const NODE = 'a'
const STRANGER = 'cali00000000bad'
const { signal } = new AbortController()

type Fate = 'crashes-before' | 'crashes-after'

type Op =
  | { readonly op: 'ADD' | 'DEL'; readonly pod: number; readonly sandbox: number; readonly abandoned: boolean }
  /** `valid`: bits, one a container. */
  | { readonly op: 'GC'; readonly valid: number }

interface Storm {
  /** Each a runtime's worker: its calls come one after another, among those of the others. */
  readonly workers: readonly (readonly Op[])[]
  /** Each life of the agent ends after so many steps. */
  readonly crashes: readonly { readonly after: number; readonly fate: Fate }[]
}

const PODS = 3
const SANDBOXES = 2

const call: fc.Arbitrary<Op> = fc.record({
  op: fc.constantFrom('ADD', 'ADD', 'DEL'),
  pod: fc.nat(PODS - 1),
  sandbox: fc.nat(SANDBOXES - 1),
  abandoned: fc.constantFrom(false, false, false, true),
})
const collection: fc.Arbitrary<Op> = fc.record({ op: fc.constant('GC'), valid: fc.nat(2 ** (PODS * SANDBOXES) - 1) })
const worker = fc.array(fc.oneof({ weight: 6, arbitrary: call }, { weight: 1, arbitrary: collection }), {
  minLength: 1,
  maxLength: 5,
})
const storm: fc.Arbitrary<Storm> = fc.record({
  workers: fc.array(worker, { minLength: 1, maxLength: 3 }),
  crashes: fc.array(fc.record({ after: fc.nat(60), fate: fc.constantFrom('crashes-before', 'crashes-after') }), { maxLength: 4 }),
})

test('whatever comes in whatever order, endpoints, addresses and pairs agree with each other and with the model', async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), storm, async (scheduler, wanted) => {
      const stage = new Stage(wanted, label => scheduler.schedule(Promise.resolve(), label))
      await stage.build()
      await scheduler.waitFor(stage.play())
      await stage.calm()
      await stage.judge()
      await stage.close()
    }),
    { numRuns: 200 },
  )
})

const FIRST: Op = { op: 'ADD', pod: 0, sandbox: 0, abandoned: false }
const STORIES: readonly (readonly [what: string, before: readonly Op[], killed: Op])[] = [
  ['ADD', [], FIRST],
  ['ADD of a new sandbox', [FIRST], { ...FIRST, sandbox: 1 }],
  ['ADD done again', [FIRST], FIRST],
  ['DEL', [FIRST], { ...FIRST, op: 'DEL' }],
  ['DEL of an older sandbox', [FIRST, { ...FIRST, sandbox: 1 }], { ...FIRST, op: 'DEL' }],
  ['GC', [FIRST, { ...FIRST, pod: 1 }], { op: 'GC', valid: 0 }],
]
for (const [what, before, killed] of STORIES)
  test(`${what}, the agent killed at every step: P0: what is left halfway is seen, and the next life leaves nothing of it`, async () => {
    let seen = 0
    let after = 0
    for (let ended = false; !ended; after++)
      for (const fate of ['crashes-before', 'crashes-after'] as const) {
        const stage = new Stage({ workers: [], crashes: [] }, async () => undefined)
        await stage.build()
        for (const op of before) await stage.run(op)
        ended = (await stage.killedDuring(killed, { after, fate })) !== 'crashed'
        seen += await stage.judge().then(
          () => 0,
          () => 1,
        )
        await stage.calm()
        await stage.judge()
        await stage.close()
      }
    assert.ok(after > 5 && seen > 0, `${seen} times something was left halfway in ${after} steps`)
  })

/** What may stand for a pod: the sandbox that is attached, or none. */
type Standing = ReadonlySet<number | undefined>

interface Happened {
  readonly op: Op
  outcome: 'done' | 'failed' | 'crashed' | undefined
  body: CniReply['body']
  /** Containers that a GC names. */
  readonly stays: ReadonlySet<string>
}

class Stage {
  readonly #store = new MemoryStore()
  readonly #pods = new FakePods()
  readonly #storm: Storm
  readonly #turn: (label: string) => Promise<void>
  /** In order of their calls, which is the order of their turns. */
  readonly #history: Happened[] = []
  readonly #crashes: Storm['crashes'][number][]
  #life: Life | undefined

  constructor(wanted: Storm, turn: (label: string) => Promise<void>) {
    this.#storm = wanted
    this.#turn = turn
    this.#crashes = [...wanted.crashes]
  }

  /** Four addresses, one of them the tunnel's: three pods with two sandboxes each fill them at times. */
  async build(): Promise<void> {
    const pool = {
      name: 'p',
      cidr: prefix('10.0.0.0/30'),
      blockSize: 31,
      ipipMode: 'Never' as const,
      vxlanMode: 'Never' as const,
      natOutgoing: false,
      disabled: false,
    }
    await createOf(this.#store, IP_POOL, pool, { signal })
    await ipamOn(this.#store).assign({ handle: tunnelHandle(NODE), use: 'tunnel', signal })
    this.#pods.pairs.set(STRANGER, { netns: '/elsewhere', podInterface: 'eth0', address: undefined })
  }

  async play(): Promise<void> {
    await Promise.all(
      this.#storm.workers.map(async ops => {
        for (const op of ops) await this.run(op)
      }),
    )
  }

  /** Runs the call in a life of its own that ends after so many steps of it; says what became of it. */
  async killedDuring(op: Op, crash: Storm['crashes'][number]): Promise<Happened['outcome']> {
    await this.calm()
    this.#life?.doom(crash)
    await this.run(op)
    return this.#history.at(-1)?.outcome
  }

  async run(op: Op): Promise<void> {
    const life = this.#living()
    const gone = new AbortController()
    const happened: Happened = { op, outcome: undefined, body: null, stays: this.#staying(op) }
    const answer = life.workloads.serve(requestOf(happened), gone.signal)
    this.#history.push(happened)
    if ('abandoned' in op && op.abandoned) void this.#turn('the caller goes').then(() => gone.abort(new Error('gone')))
    const reply = await answer
    happened.outcome = life.isDead ? 'crashed' : reply.exitCode === 0 ? 'done' : 'failed'
    happened.body = reply.body
  }

  /** One more life, which nothing ends. */
  async calm(): Promise<void> {
    this.#crashes.length = 0
    this.#life?.end()
    this.#life = undefined
    await this.#living({ scheduled: false }).workloads.tidy(signal)
  }

  async judge(): Promise<void> {
    const endpoints = await this.#endpoints()
    for (let pod = 0; pod < PODS; pod++) {
      const found = endpoints.filter(endpoint => endpoint.pod === podOf(pod)).map(({ containerId }) => containerId)
      assert.ok(found.length <= 1)
      const allowed = [...this.#standing(pod)].map(sandbox => (sandbox === undefined ? undefined : containerOf(pod, sandbox)))
      assert.ok(allowed.includes(found[0]), `${podOf(pod)} has ${found[0]}, and may have ${allowed.join(' or ')}`)
    }
    assert.deepEqual(await this.#addresses(), endpoints.map(line).sort(), 'endpoints and addresses')
    const pairs = [...this.#pods.pairs].filter(([name]) => name !== STRANGER)
    assert.deepEqual(
      pairs.map(([name, { address }]) => `${name} ${address === undefined ? 'half done' : formatIpv4(address)}`).sort(),
      endpoints.map(({ interfaceName, addresses }) => `${interfaceName} ${addresses.map(formatIpv4)}`).sort(),
      'endpoints and pairs',
    )
    assert.equal(this.#pods.lines.size, 0, 'the journal')
    for (const endpoint of endpoints) await this.#check(endpoint)
  }

  /** Everything can be taken away, and then there is nothing. */
  async close(): Promise<void> {
    const { workloads } = this.#living({ scheduled: false })
    for (let round = 0; round < 2; round++)
      for (let pod = 0; pod < PODS; pod++)
        for (let sandbox = 0; sandbox < SANDBOXES; sandbox++) {
          const names = { pod: podOf(pod), containerId: containerOf(pod, sandbox), more: {} }
          const reply = await workloads.serve(callText('DEL', names), signal)
          assert.equal(reply.exitCode, 0, JSON.stringify(reply.body))
        }
    assert.deepEqual(await this.#endpoints(), [])
    assert.deepEqual(await this.#addresses(), [])
    assert.deepEqual([...this.#pods.pairs.keys()], [STRANGER], 'a stranger’s pair is left alone')
    assert.equal((await ipamUsage(this.#store, { signal })).addresses.length, 1, 'the tunnel keeps its address')
  }

  /** What ADD answered is what CHECK finds. */
  async #check({ pod, containerId }: WorkloadEndpoint): Promise<void> {
    const adds = this.#history.filter(({ op }) => op.op === 'ADD' && containerOf(op.pod, op.sandbox) === containerId)
    const last = adds.findLast(({ outcome }) => outcome !== 'failed')
    // Nobody was told what a call made that a crash interrupted.
    if (last?.outcome !== 'done') return
    const { workloads } = this.#living({ scheduled: false })
    const reply = await workloads.serve(callText('CHECK', { pod, containerId, more: { prevResult: last.body } }), signal)
    assert.equal(reply.exitCode, 0, JSON.stringify(reply.body))
  }

  /** The model: each call in the order of the calls. What a crash interrupted may be done or not. */
  #standing(pod: number): Standing {
    let standing: Standing = new Set([undefined])
    for (const happened of this.#history) {
      const { op, outcome } = happened
      if (op.op !== 'GC' && op.pod !== pod) continue
      const after = effectOf(happened, pod, standing)
      if (outcome === 'done') standing = after
      else if (outcome === 'crashed') standing = new Set([...standing, undefined, ...after])
      else standing = new Set([...standing, undefined, ...(op.op === 'ADD' ? [] : after)])
    }
    return standing
  }

  #staying(op: Op): ReadonlySet<string> {
    if (op.op !== 'GC') return new Set()
    return new Set(everyContainer().filter((id, bit) => (op.valid & (2 ** bit)) !== 0 || this.#isUnderWay(id)))
  }

  /** A runtime counts what it is just adding among what stays. */
  #isUnderWay(containerId: string): boolean {
    return this.#history.some(
      ({ op, outcome }) => op.op === 'ADD' && outcome === undefined && containerOf(op.pod, op.sandbox) === containerId,
    )
  }

  #living({ scheduled }: { readonly scheduled: boolean } = { scheduled: true }): Life {
    if (this.#life !== undefined && !this.#life.isDead) return this.#life
    const life = new Life(this.#store, this.#pods, {
      crash: this.#crashes.shift(),
      turn: scheduled ? this.#turn : async () => undefined,
    })
    this.#life = life
    void life.workloads.tidy(signal).catch(() => undefined)
    return life
  }

  async #endpoints(): Promise<readonly WorkloadEndpoint[]> {
    const { read, junk } = await listOf(this.#store, WORKLOAD_ENDPOINT, { signal })
    assert.deepEqual(junk, [])
    return read.map(({ value }) => value)
  }

  async #addresses(): Promise<readonly string[]> {
    const { addresses } = await ipamUsage(this.#store, { signal })
    const ofPods = addresses.filter(({ handle }) => handle !== tunnelHandle(NODE))
    return ofPods.map(({ handle, address }) => `${handle} ${formatIpv4(address)}`).sort()
  }
}

/** One run of the agent's process, until it is killed. */
class Life {
  readonly workloads: Workloads
  #crash: Storm['crashes'][number] | undefined
  #steps = 0
  #dead = false

  constructor(
    store: MemoryStore,
    pods: FakePods,
    { crash, turn }: { readonly crash: Storm['crashes'][number] | undefined; readonly turn: (label: string) => Promise<void> },
  ) {
    this.#crash = crash
    const mine = new ScheduledStore(store, 'agent', { turn, look: () => undefined, fate: () => this.#fate() })
    this.workloads = new Workloads({
      node: NODE,
      bookkeeper: fakeBooks({
        ...{ node: NODE, store: mine, ipam: ipamOn(mine), pods, step: this.#step, clock: impatientClock },
        datastore: () => CIRCUMSTANCES.datastore,
      }).bookkeeper,
      wiring: pods.wiring(this.#step),
      journal: pods.journal(this.#step),
      clock: impatientClock,
      random: seededRandom(2),
      log: silentLog,
      connections: { beforeUse: async () => undefined, afterUse: () => undefined },
      answered: () => undefined,
      podMtu: () => 1500,
      routed: async (address, until, waiting) => {
        waiting.throwIfAborted()
        const isThere = [...pods.pairs.values()].some(pair => pair.address === address)
        assert.equal(isThere, until === 'installed', `${formatIpv4(address)} is not ${until}`)
      },
      circumstances: () => CIRCUMSTANCES,
    })
  }

  get isDead(): boolean {
    return this.#dead
  }

  /** It ends so many steps from now. */
  doom(crash: Storm['crashes'][number]): void {
    this.#crash = crash
    this.#steps = 0
  }

  end(): void {
    this.#dead = true
  }

  #fate(): 'lives' | Fate {
    if (this.#dead) return 'crashes-before'
    if (this.#crash === undefined || this.#steps++ < this.#crash.after) return 'lives'
    this.#dead = true
    return this.#crash.fate
  }

  readonly #step: Step = (label, act) => {
    const fate = this.#fate()
    if (fate !== 'crashes-before') act()
    if (fate !== 'lives') throw new Crash(label)
  }
}

function ipamOn(store: MemoryStore | ScheduledStore): Ipam {
  return new Ipam(store, NODE, { clock: impatientClock, random: seededRandom(1) })
}

function effectOf({ op, stays }: Happened, pod: number, standing: Standing): Standing {
  const without = (goes: (sandbox: number) => boolean): Standing =>
    new Set([...standing].map(sandbox => (sandbox === undefined || goes(sandbox) ? undefined : sandbox)))
  switch (op.op) {
    case 'ADD':
      return new Set([op.sandbox])
    case 'DEL':
      return without(sandbox => sandbox === op.sandbox)
    case 'GC':
      return without(sandbox => !stays.has(containerOf(pod, sandbox)))
    default:
      return op satisfies never
  }
}

function requestOf({ op, stays }: Happened): string {
  if (op.op !== 'GC') return callText(op.op, { pod: podOf(op.pod), containerId: containerOf(op.pod, op.sandbox), more: {} })
  const attachments = [...stays].map(containerID => ({ containerID, ifname: 'eth0' }))
  return callText('GC', { pod: '', containerId: '', more: { 'cni.dev/valid-attachments': attachments } })
}

function everyContainer(): string[] {
  return Array.from({ length: PODS * SANDBOXES }, (_, n) => containerOf(Math.floor(n / SANDBOXES), n % SANDBOXES))
}

function podOf(pod: number): string {
  return `pod-${pod}`
}

function containerOf(pod: number, sandbox: number): string {
  return `c${pod}-${sandbox}`
}

function callText(
  command: string,
  { pod, containerId, more }: { readonly pod: string; readonly containerId: string; readonly more: Record<string, unknown> },
): string {
  return JSON.stringify({
    environment: {
      CNI_COMMAND: command,
      CNI_CONTAINERID: containerId,
      CNI_IFNAME: 'eth0',
      CNI_NETNS: `/run/netns/${containerId}`,
      CNI_ARGS: `K8S_POD_NAMESPACE=shop;K8S_POD_NAME=${pod}`,
    },
    config: JSON.stringify({ cniVersion: '1.1.0', name: 'cali', type: 'cali', ...more }),
  })
}

function line(endpoint: WorkloadEndpoint): string {
  return `${addressHandle(interfaceOf(endpoint))} ${endpoint.addresses.map((address: Ipv4) => formatIpv4(address))}`
}
