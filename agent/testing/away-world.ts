/** A node with a bookkeeper between a datastore that comes and goes, other nodes and people, and a supervisor that kills it. */

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { formatIpv4, type Ipv4, ipv4 } from '@network/base/net/ipv4.ts'
import { prefix } from '@network/base/net/prefix.ts'
import { silentLog } from '@network/base/run/log.ts'
import { ManualClock } from '@network/base/testing/manual-clock.ts'
import { seededRandom } from '@network/base/testing/seeded-random.ts'
import type { Random } from '@network/base/time/clock.ts'
import { millis } from '@network/base/time/units.ts'
import { Ipam } from '@network/datastore/ipam/ipam.ts'
import { registerNode } from '@network/datastore/nodes.ts'
import { createOf } from '@network/datastore/records.ts'
import { impatientClock } from '@network/datastore/testing/impatient-clock.ts'
import { MemoryStore } from '@network/datastore/testing/memory.ts'
import { Crash } from '@network/datastore/testing/scheduled.ts'
import type { CniReply } from '@network/model/cni.ts'
import { IP_POOL } from '@network/model/resources/ip-pool.ts'
import { IPAM_CONFIGURATION } from '@network/model/resources/ipam.ts'
import { metadataOf } from '@network/model/resources/kind.ts'
import type { Node } from '@network/model/resources/node.ts'
import type { Bookkeeper } from '../away/bookkeeper.ts'
import type { Ledger } from '../away/ledger.ts'
import type { Overlay } from '../away/overlay.ts'
import { Cluster } from '../cluster.ts'
import { ClusterCopy } from '../copy.ts'
import { claimTunnelAddress, tunnelAddressIsRight } from '../tunnel-address.ts'
import { Workloads } from '../workload/workloads.ts'
import { fakeBooks } from './fake-books.ts'
import { FakePods, type Step } from './fake-pods.ts'
import { Partition, type Way } from './partition.ts'

export const SELF = 'a'
export const OTHER = 'b'
export const POOL = {
  name: 'p',
  blockSize: 29,
  ipipMode: 'Never',
  vxlanMode: 'Never',
  natOutgoing: false,
  disabled: false,
} as const
const MACHINE: Node = {
  name: SELF,
  id: 'machine',
  vxlanMac: undefined,
  address: ipv4('192.0.2.1'),
  subnetLength: 24,
  asn: undefined,
  tunnelAddress: undefined,
}
/** Turns of the event loop that a route may take to come or go. */
const ROUTE_TURNS = 60
const QUIET_TURNS = 40

export interface WorldOptions {
  readonly seed: number
  /** For the copies of the datastore. */
  readonly directory: string
  readonly strictAffinity: boolean
  /** Without one, nothing keeps the block of the last pod. */
  readonly hasTunnel: boolean
  /** Of the pool. */
  readonly cidr: string
}

/** What outlives an agent. */
export class World {
  readonly store = new MemoryStore()
  readonly pods = new FakePods()
  readonly clock = new ManualClock()
  readonly random: Random
  readonly way = { cut: false, deaf: false, lost: 0, turn: () => this.#turn() }
  readonly other: Ipam
  readonly #options: WorldOptions
  #life: Life | undefined

  constructor(options: WorldOptions) {
    this.#options = options
    this.random = seededRandom(options.seed)
    this.other = new Ipam(this.store, OTHER, { clock: impatientClock, random: seededRandom(options.seed + 1) })
  }

  get hasTunnel(): boolean {
    return this.#options.hasTunnel
  }

  get copyFile(): string {
    return join(this.#options.directory, `${this.#options.seed}.json`)
  }

  async build(): Promise<void> {
    await createOf(this.store, IP_POOL, { ...POOL, cidr: prefix(this.#options.cidr) }, { signal: FOREVER })
    const spec = {
      strictAffinity: this.#options.strictAffinity,
      autoAllocateBlocks: true,
      maxBlocksPerHost: 0,
      ipCooldownSeconds: 0,
    }
    await createOf(
      this.store,
      IPAM_CONFIGURATION,
      { metadata: metadataOf('default'), spec, status: undefined },
      { signal: FOREVER },
    )
  }

  /** The present life; a new one where the last has ended. */
  get life(): Life {
    if (this.#life === undefined || this.#life.isDead) this.#life = new Life(this)
    return this.#life
  }

  /** `kill -9`. */
  kill(): void {
    this.#life?.end()
  }

  /** Cuts the node off, or lets it speak again. */
  set(way: Partial<Pick<Way, 'cut' | 'deaf' | 'lost'>>): void {
    Object.assign(this.way, way)
    this.#life?.partition.changed()
  }

  /** Lets everything happen that wants to. */
  async quiet(): Promise<void> {
    for (let turn = 0; turn < QUIET_TURNS; turn++) {
      await new Promise(setImmediate)
      this.clock.advance(millis(500))
    }
  }

  async #turn(): Promise<void> {
    for (let left = Math.floor(this.random() * 3); left > 0; left--) await new Promise(setImmediate)
  }
}

const FOREVER = new AbortController().signal

/** One run of the agent's process. */
export class Life {
  readonly workloads: Workloads
  readonly partition: Partition
  readonly bookkeeper: Bookkeeper
  readonly ledger: Ledger
  readonly cluster: Cluster
  readonly #overlay: Overlay
  readonly #world: World
  readonly #copy: ClusterCopy
  readonly #ending = new AbortController()
  /** Steps until it ends; undefined: it ends when told. */
  #fuse: number | undefined
  #isRegistered = false

  constructor(world: World) {
    const { store, pods, clock, way } = world
    this.#world = world
    this.partition = new Partition(
      store,
      liveView(way, () => this.#mustLive()),
    )
    const ipam = new Ipam(this.partition, SELF, { clock: impatientClock, random: seededRandom(7) })
    const cluster = new Cluster({
      ...{ node: SELF, store: this.partition, clock, random: seededRandom(8), log: silentLog },
      copy: () => this.#copy.read(),
      changed: () => this.#claimTunnel(),
      stateChanged: () => this.bookkeeper.stateChanged(),
      overlay: () => this.#overlay,
    })
    this.cluster = cluster
    this.#copy = new ClusterCopy({
      ...{ path: world.copyFile, node: SELF, datastore: store.url, clock, log: silentLog },
      snapshot: () => cluster.stored,
      blocks: () => cluster.blocks,
    })
    const books = fakeBooks({
      ...{ node: SELF, id: MACHINE.id, store: this.partition, ipam, pods, step: this.#step, clock },
      datastore: () => cluster.status,
      isRegistered: () => this.#isRegistered,
      seen: () => ({ snapshot: cluster.complete ? cluster.stored : undefined, blocks: cluster.blocks }),
    })
    this.bookkeeper = books.bookkeeper
    this.ledger = books.ledger
    this.#overlay = books.overlay
    this.workloads = new Workloads({
      node: SELF,
      bookkeeper: this.bookkeeper,
      wiring: pods.wiring(this.#step),
      journal: pods.journal(this.#step),
      clock,
      random: seededRandom(9),
      log: silentLog,
      connections: { beforeUse: () => Promise.resolve(), afterUse: () => undefined },
      answered: () => undefined,
      podMtu: () => 1500,
      routed: (address, until, signal) => this.#routed(address, until, signal),
      circumstances: () => ({
        node: SELF,
        datastore: cluster.status,
        pools: cluster.snapshot.pools,
        registered: this.#isRegistered && cluster.snapshot.nodes.has(SELF),
      }),
    })
    const { signal } = this.#ending
    for (const task of [this.#register(), cluster.follow(signal), this.bookkeeper.run(signal), this.workloads.keepTidy(signal)])
      task.catch(reason => assert.ok(this.isDead, reason))
  }

  get isDead(): boolean {
    return this.#ending.signal.aborted
  }

  end(): void {
    this.#ending.abort(new Crash('killed'))
  }

  /** It ends at the n-th thing that it changes from now on. */
  endAfter(steps: number): void {
    this.#fuse = steps
  }

  /** What it sees now is what the next life may see. */
  copy(): void {
    if (!this.cluster.isFirstHand) return
    this.#copy.changed()
    this.#copy.stop()
  }

  /** The answer, or undefined where it died before. */
  async call(
    command: string,
    pod: string,
    container: string,
    fields: Readonly<Record<string, unknown>> = {},
  ): Promise<CniReply | undefined> {
    const environment = {
      CNI_COMMAND: command,
      CNI_CONTAINERID: container,
      CNI_IFNAME: 'eth0',
      CNI_NETNS: `/run/netns/${container}`,
      CNI_ARGS: `K8S_POD_NAMESPACE=shop;K8S_POD_NAME=${pod}`,
    }
    const config = JSON.stringify({ cniVersion: '1.1.0', name: 'cali', type: 'cali', ...fields })
    const reply = await this.workloads.serve(JSON.stringify({ environment, config }), this.#ending.signal)
    return this.isDead ? undefined : reply
  }

  readonly #step: Step = (label, act) => {
    this.#mustLive()
    if (this.#fuse === undefined || this.#fuse-- > 0) {
      act()
      return
    }
    // Half of the deaths come after the deed.
    if (this.#world.random() < 0.5) act()
    this.end()
    throw new Crash(label)
  }

  #mustLive(): void {
    if (this.isDead) throw new Crash('dead')
  }

  async #register(): Promise<void> {
    while (!this.#isRegistered && !this.isDead) {
      await registerNode(this.partition, MACHINE, { signal: this.#ending.signal }).then(
        () => {
          this.#isRegistered = true
        },
        () => new Promise(resolve => this.#world.clock.wakeAt(this.#world.clock.now(), () => setImmediate(resolve))),
      )
      this.bookkeeper.stateChanged()
    }
  }

  #claimTunnel(): void {
    const { snapshot } = this.cluster
    const self = snapshot.nodes.get(SELF)
    if (!this.#world.hasTunnel || self === undefined || this.isDead || tunnelAddressIsRight(self, snapshot)) return
    const { signal } = this.#ending
    claimTunnelAddress(
      { node: SELF, store: this.partition, ipam: this.bookkeeper.tunnel, log: silentLog },
      snapshot,
      signal,
    ).catch(() => undefined)
  }

  async #routed(address: Ipv4, until: 'installed' | 'absent', signal: AbortSignal): Promise<void> {
    for (let turn = 0; turn < ROUTE_TURNS; turn++) {
      this.#mustLive()
      const { workloads } = this.cluster.snapshot
      const isThere = [...workloads.values()].some(({ node, addresses }) => node === SELF && addresses.includes(address))
      if (isThere === (until === 'installed')) return
      signal.throwIfAborted()
      await new Promise(setImmediate)
    }
    throw new DOMException(`${formatIpv4(address)} is not ${until}`, 'TimeoutError')
  }
}

/** The way as it is at every moment, for as long as whoever asks lives. */
function liveView(way: Way, mustLive: () => void): Way {
  return {
    get cut() {
      return way.cut
    },
    get deaf() {
      return way.deaf
    },
    get lost() {
      return way.lost
    },
    set lost(value) {
      way.lost = value
    },
    async turn(label) {
      mustLive()
      await way.turn(label)
      mustLive()
    },
  }
}
