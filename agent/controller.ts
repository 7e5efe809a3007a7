/** Turns what is known into what is wanted, again after every change: snapshot and learned blocks in, intents and announcements out. */

import type { Ipv4 } from '@network/base/net/ipv4.ts'
import { Fault, reasonOf } from '@network/base/run/fault.ts'
import type { Log } from '@network/base/run/log.ts'
import type { Cancel, Clock } from '@network/base/time/clock.ts'
import { after, between, type Instant, type Millis, millis } from '@network/base/time/units.ts'
import type { Node } from '@network/model/resources/node.ts'
import type { NetlinkClient } from '@network/netlink/client.ts'
import type { Feed } from './bgp/feed.ts'
import type { Cluster } from './cluster.ts'
import type { Config } from './config.ts'
import type { Firewall } from './kernel/firewall/firewall.ts'
import { readSysctl } from './kernel/tables/sysctls.ts'
import type { Underlay, VxlanFacts } from './plan/facts.ts'
import { planFirewall } from './plan/firewall.ts'
import { identityOf } from './plan/identity.ts'
import { type Neighbour, peersByHand, planPeers } from './plan/peers.ts'
import { type Plan, planAll } from './plan/plan.ts'
import { tunnelAddressIsRight } from './tunnel-address.ts'
import { type Choice, gatewayOf, smallestMtu } from './underlay.ts'
import { UnderlayWatch } from './underlay-watch.ts'

const RETRY = millis(1000)
/** News that come in a stream are planned for together: between two plans lies so many times what the last one took, and no more than this. */
const PACE = { times: 3, most: millis(100) }

export interface ControllerOptions {
  readonly config: Config
  readonly cluster: Cluster
  readonly feed: Feed
  readonly firewall: Firewall
  readonly netlink: NetlinkClient
  readonly underlay: Choice
  readonly ipipUnsupported: string | undefined
  readonly vxlan: VxlanFacts
  readonly clock: Clock
  readonly log: Log
  /** Hears how long each plan took. */
  readonly planned: (duration: Millis) => void
  /** Takes the new plan to the kernel. */
  readonly apply: (plan: Plan) => void
  /** Claims an address for tunl0 and writes it to the Node. */
  readonly claimTunnelAddress: () => Promise<void>
  /** This node has another address: whoever speaks for it must begin anew. */
  readonly moved: (from: string, to: string) => void
  /** Writes the node's address and subnet to the Node again after they changed. */
  readonly register: (underlay: Underlay) => Promise<void>
}

export class Controller {
  readonly #options: ControllerOptions
  readonly #underlay: UnderlayWatch
  /** By address, the MTU on the way there. */
  readonly #ways = new Map<Ipv4, number>()
  #underlayMtu: number | undefined
  #plan: Plan | undefined
  #neighbours: readonly Neighbour[] = []
  #scheduled: Cancel | undefined
  /** When the next plan may be made that nobody asks for at once. */
  #notBefore: Instant | undefined
  #stopped = false
  #peerProblems: readonly string[] = []
  readonly #busy = new Set<string>()

  constructor(options: ControllerOptions) {
    this.#options = options
    const { netlink, config, underlay, clock, log, moved } = options
    const changed = () => this.wake()
    this.#underlay = new UnderlayWatch({ netlink, method: config.nodeIp, first: underlay, clock, log, changed, moved })
  }

  get plan(): Plan | undefined {
    return this.#plan
  }

  get neighbours(): readonly Neighbour[] {
    return this.#neighbours
  }

  get choice(): Choice {
    return this.#underlay.choice
  }

  /** This node's own document; undefined when somebody deleted it. */
  get self(): Node | undefined {
    return this.#options.cluster.snapshot.nodes.get(this.#options.config.nodeName)
  }

  /** What somebody should know of the underlay and of BGP. */
  get problems(): readonly string[] {
    return [
      ...(this.#underlay.trouble === undefined ? [] : [this.#underlay.trouble]),
      ...this.#peerProblems,
      ...this.#options.feed.problems,
    ]
  }

  /** Octets that fit on the way to every other node, as of the last plan. */
  get underlayMtu(): number {
    return this.#underlayMtu ?? this.#options.config.mtu ?? this.choice.underlay.mtu
  }

  /** A route that is not ours changed: next hops may be reached in another way, where another MTU fits. */
  waysMayHaveChanged(): void {
    this.#ways.clear()
    this.wake()
  }

  /** Something that a plan is made from changed: plan again soon, once for many changes. */
  wake(): void {
    if (this.#scheduled !== undefined || this.#stopped) return
    const { clock } = this.#options
    this.#scheduled = clock.wakeAt(this.#notBefore ?? clock.now(), () => {
      this.#scheduled = undefined
      this.replan()
    })
  }

  stop(): void {
    this.#stopped = true
    this.#underlay.stop()
    this.#scheduled?.()
  }

  /** An interface or address changed: the underlay may be another now. */
  underlayMayHaveChanged(): void {
    this.#ways.clear()
    this.#underlay.look()
  }

  /** Plans at once: for who must know that the plan holds all that is known at this moment. */
  replan(): void {
    if (this.#stopped) return
    const { clock, log } = this.#options
    const began = clock.now()
    try {
      this.#replan()
      const took = between(began, clock.now())
      this.#options.planned(took)
      this.#notBefore = after(clock.now(), millis(Math.min(PACE.times * took, PACE.most)))
    } catch (reason) {
      // The kernel did not answer a question; anything else is a bug and ends the process.
      if (!(reason instanceof Fault)) throw reason
      log.warn('no plan could be made; tried again soon', { why: reason.message })
      clock.wakeAt(after(clock.now(), RETRY), () => this.wake())
    }
  }

  #replan(): void {
    const { config, cluster, feed, firewall, netlink, ipipUnsupported, vxlan, apply, claimTunnelAddress, register } =
      this.#options
    if (!cluster.complete) return
    const { snapshot } = cluster
    this.#underlayMtu = config.mtu ?? smallestMtu(netlink, this.choice.underlay, snapshot.nodes.values(), this.#ways)
    const plan = planAll({
      self: config.nodeName,
      snapshot,
      underlay: { ...this.choice.underlay, mtu: this.#underlayMtu },
      ipipUnsupported,
      vxlan,
      strictEverywhere: readSysctl('net/ipv4/conf/all/rp_filter') === '1',
      learned: feed.learned(),
      gatewayOf: nextHop => gatewayOf(netlink, nextHop),
    })
    this.#plan = plan
    const self = this.self
    const peers = self === undefined ? { neighbours: peersByHand(config.peers), problems: [] } : planPeers(self, snapshot, config)
    this.#neighbours = peers.neighbours
    this.#peerProblems = peers.problems
    const underlay = this.choice.underlay
    const { device, port, vni } = vxlan.settings
    const own = { vxlan: plan.intents.links.has(device) ? { device, port, vni } : undefined, underlay }
    firewall.desire(planFirewall(config.nodeName, snapshot, { ...own, neighbours: this.#neighbours }))
    apply(plan)
    // A peer may send as soon as it has heard of us: it is let in before. Who is let in wakes us.
    const admitted = this.#neighbours.filter(({ address }) => firewall.admits(address))
    if (firewall.decided)
      feed.declare({
        self: config.nodeName,
        identity: identityOf(self ?? { name: config.nodeName, asn: undefined }, snapshot, config.asn),
        ...{ neighbours: admitted, originate: plan.originate, snapshot },
      })
    if (self === undefined) return
    const canTunnel = ipipUnsupported === undefined || vxlan.unsupported === undefined
    if (canTunnel && !tunnelAddressIsRight(self, snapshot)) this.#once('tunnel address', claimTunnelAddress)
    const mac = vxlan.unsupported === undefined ? vxlan.mac : undefined
    if (self.address !== underlay.address || self.subnetLength !== underlay.subnet.length || self.vxlanMac !== mac)
      this.#once('register', () => register(underlay))
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
