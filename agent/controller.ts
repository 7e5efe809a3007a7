/** Turns what is known into what is wanted, again after every change: snapshot and learned blocks in, intents and announcements out. */

import { reasonOf } from '@network/base/run/fault.ts'
import type { Log } from '@network/base/run/log.ts'
import type { Clock } from '@network/base/time/clock.ts'
import { after, millis } from '@network/base/time/units.ts'
import type { Node } from '@network/model/resources/node.ts'
import type { NetlinkClient } from '@network/netlink/client.ts'
import type { Feed } from './bgp/feed.ts'
import type { Cluster } from './cluster.ts'
import type { Config } from './config.ts'
import type { Firewall } from './kernel/firewall/firewall.ts'
import { readSysctl } from './kernel/tables/sysctls.ts'
import type { Underlay } from './plan/facts.ts'
import { planFirewall } from './plan/firewall.ts'
import { type Neighbour, planMesh } from './plan/peers.ts'
import { type Plan, planAll } from './plan/plan.ts'
import { lacksTunnelAddress } from './tunnel-address.ts'
import { type Choice, chooseUnderlay, gatewayOf, sameUnderlay } from './underlay.ts'

const RETRY = millis(1000)

export interface ControllerOptions {
  readonly config: Config
  readonly cluster: Cluster
  readonly feed: Feed
  readonly firewall: Firewall
  readonly netlink: NetlinkClient
  readonly underlay: Choice
  readonly ipipUnsupported: string | undefined
  readonly clock: Clock
  readonly log: Log
  /** Takes the new plan to the kernel. */
  readonly apply: (plan: Plan) => void
  /** Claims an address for tunl0 and writes it to the Node. */
  readonly claimTunnelAddress: () => Promise<void>
  /** Writes the node's address and subnet to the Node again after they changed. */
  readonly register: (underlay: Underlay) => Promise<void>
}

export class Controller {
  readonly #options: ControllerOptions
  #choice: Choice
  #plan: Plan | undefined
  #neighbours: readonly Neighbour[] = []
  #scheduled = false
  #busy = new Set<string>()

  constructor(options: ControllerOptions) {
    this.#options = options
    this.#choice = options.underlay
  }

  get plan(): Plan | undefined {
    return this.#plan
  }

  get neighbours(): readonly Neighbour[] {
    return this.#neighbours
  }

  get choice(): Choice {
    return this.#choice
  }

  /** This node's own document; undefined when somebody deleted it. */
  get self(): Node | undefined {
    return this.#options.cluster.snapshot.nodes.get(this.#options.config.nodeName)
  }

  /** Something that a plan is made from changed: plan again soon, once for many changes. */
  wake(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.replan()
    })
  }

  /** An interface or address changed: the underlay may be another now. */
  underlayMayHaveChanged(): void {
    const { config, netlink, log, register } = this.#options
    let choice: Choice
    try {
      choice = chooseUnderlay(netlink, config.nodeIp ?? this.#choice.underlay.address)
    } catch {
      // The NIC is away for a moment or for good: what was planned for it is right again when it is back.
      return
    }
    if (sameUnderlay(choice.underlay, this.#choice.underlay)) return
    this.#choice = { ...this.#choice, underlay: choice.underlay }
    log.info('underlay changed', { ...choice.underlay })
    this.#once('register', () => register(choice.underlay))
    this.wake()
  }

  /** Plans at once: for who must know that the plan holds all that is known at this moment. */
  replan(): void {
    const { config, cluster, feed, firewall, netlink, ipipUnsupported, apply, claimTunnelAddress } = this.#options
    if (!cluster.complete) return
    const { snapshot } = cluster
    const plan = planAll({
      self: config.nodeName,
      snapshot,
      underlay: this.#choice.underlay,
      ipipUnsupported,
      strictEverywhere: readSysctl('net/ipv4/conf/all/rp_filter') === '1',
      learned: feed.learned(),
      gatewayOf: nextHop => gatewayOf(netlink, nextHop),
    })
    this.#plan = plan
    const self = this.self
    const mesh = self === undefined ? [] : planMesh(self, snapshot, config.asn)
    const configured = config.peers.map((peer): Neighbour => ({ ...peer, type: 'configured', dials: 'at-once' }))
    this.#neighbours = [...mesh, ...configured.filter(({ address }) => !mesh.some(node => node.address === address))]
    firewall.desire(planFirewall(config.nodeName, snapshot, { underlay: this.#choice.underlay, neighbours: this.#neighbours }))
    apply(plan)
    // A peer may send as soon as it has heard of us: it is let in before. Who is let in wakes us.
    const admitted = this.#neighbours.filter(({ address }) => firewall.admits(address))
    if (firewall.decided) feed.declare(admitted, plan.originate, snapshot)
    if (self !== undefined && ipipUnsupported === undefined && lacksTunnelAddress(self, snapshot))
      this.#once('tunnel address', claimTunnelAddress)
  }

  /** One at a time; a failure is told and tried again soon. */
  #once(name: string, work: () => Promise<void>): void {
    if (this.#busy.has(name)) return
    this.#busy.add(name)
    const { clock, log } = this.#options
    work()
      .catch(reason => {
        log.warn('not done; tried again soon', { what: name, why: reasonOf(reason) })
        clock.wakeAt(after(clock.now(), RETRY), () => this.wake())
      })
      .finally(() => this.#busy.delete(name))
  }
}
