/** What the agent tells of itself: assembled when asked, from what is, kept nowhere. */

import { formatIpv4 } from '@network/base/net/ipv4.ts'
import { formatPrefix } from '@network/base/net/prefix.ts'
import type { SpeakerStatus, PeerStatus as SpokenPeer } from '@network/bgp/speaker.ts'
import { TUNNEL_DEVICE } from '@network/ipip/plan.ts'
import { formatRoute, type RouteIntent } from '@network/model/intent.ts'
import type {
  AgentStatus,
  BgpStatus,
  BooksStatus,
  FirewallStatus,
  IpipStatus,
  PeerStatus,
  RepairStatus,
  RouteStatus,
  TableStatus,
  VxlanStatus,
  WorkloadStatus,
} from '@network/model/status.ts'
import type { NetlinkClient } from '@network/netlink/client.ts'
import type { Account } from '../away/bookkeeper.ts'
import type { Cluster } from '../cluster.ts'
import type { Config } from '../config.ts'
import type { Controller } from '../controller.ts'
import type { RecordedRepair } from '../kernel/kernel.ts'
import type { KeyState } from '../kernel/reconciler.ts'
import type { VxlanFacts } from '../plan/facts.ts'
import { interfaceProblems, vxlanProblems } from '../plan/interfaces.ts'

/** The kernel's side of the status. */
export interface KernelView {
  stateOf(table: 'routes', key: string): KeyState
  readonly converged: boolean
  readonly problems: readonly string[]
  readonly tables: readonly TableStatus[]
  readonly repairs: { readonly count: number; readonly last: readonly RecordedRepair[] }
}

/** The firewall's side of the status. */
export interface FirewallView {
  readonly converged: boolean
  readonly problems: readonly string[]
  readonly repairs: RepairStatus
}

export interface StatusSources {
  readonly config: Config
  readonly version: string
  readonly startedAt: string
  readonly cluster: Cluster
  readonly controller: Controller
  readonly kernel: KernelView
  readonly firewall: FirewallView
  readonly books: () => Account
  readonly speaker: () => SpeakerStatus
  readonly netlink: NetlinkClient
  readonly ipipUnsupported: string | undefined
  readonly vxlan: VxlanFacts
  /** Why the datastore did not take this node yet; undefined when it did. */
  readonly unregistered: () => string | undefined
}

/** `protection` was asked of the firewall at this moment: its counters are the kernel's. */
export function agentStatus(sources: StatusSources, protection: FirewallStatus): AgentStatus {
  const { config, cluster, controller, firewall, kernel } = sources
  const { underlay, from } = controller.choice
  const { plan } = controller
  return {
    node: config.nodeName,
    id: config.nodeId,
    version: sources.version,
    pid: process.pid,
    startedAt: sources.startedAt,
    address: `${formatIpv4(underlay.address)}/${underlay.subnet.length}`,
    addressFrom: from,
    asn: sources.speaker().asn,
    datastore: cluster.status,
    books: booksStatus(sources.books()),
    ipip: ipipStatus(sources),
    vxlan: vxlanStatus(sources),
    pools: plan?.pools ?? [],
    firewall: protection,
    bgp: bgpStatus(sources.speaker(), controller),
    routes: plan === undefined ? [] : [...plan.intents.routes.values()].map(route => routeStatus(route, kernel)),
    workloads: workloadStatus(sources),
    tables: [...kernel.tables, firewallTable(protection, firewall)],
    repairs: joined(kernel.repairs, firewall.repairs),
    problems: [
      ...registrationProblems(sources),
      ...cluster.problems,
      ...sources.books().conflicts.map(({ says }) => says),
      ...controller.problems,
      ...(plan?.problems ?? []),
      ...kernel.problems,
      ...firewall.problems,
      ...strangeInterfaces(sources),
    ],
    converged: plan !== undefined && kernel.converged && firewall.converged,
  }
}

function registrationProblems({ config, cluster, controller, unregistered }: StatusSources): string[] {
  const why = unregistered()
  if (why !== undefined) return [`this node is not registered yet, which is tried again and again: ${why}`]
  if (!cluster.complete || controller.self !== undefined) return []
  return [`node ${config.nodeName} was deleted from the datastore: nobody routes to it; restart the agent to register it again`]
}

function booksStatus({ unwritten, conflicts, mended }: Account): BooksStatus {
  return { unwritten, notices: [...conflicts, ...mended] }
}

/** Wanted as one thing, with all that is in it. */
function firewallTable({ active }: FirewallStatus, { converged, repairs }: FirewallView): TableStatus {
  return { name: 'nftables', wanted: 1, actual: Number(active && converged), stale: 0, repairs: repairs.count }
}

/** The newest first, no more than either keeps. */
function joined(a: RepairStatus, b: RepairStatus): RepairStatus {
  const newest = [...a.last, ...b.last].sort((one, other) => other.at.localeCompare(one.at))
  return { count: a.count + b.count, last: newest.slice(0, Math.max(a.last.length, b.last.length)) }
}

/** Only a complete snapshot can tell that nobody names an interface. */
function strangeInterfaces({ config, cluster, controller, netlink, vxlan }: StatusSources): string[] {
  if (!cluster.complete) return []
  const { snapshot } = cluster
  const { underlayMtu } = controller
  const links = netlink.links()
  return [
    ...interfaceProblems({ self: config.nodeName, snapshot, links, underlayMtu }),
    ...(vxlan.unsupported === undefined ? vxlanProblems(links, vxlan.settings) : []),
  ]
}

function ipipStatus({ ipipUnsupported, netlink, controller }: StatusSources): IpipStatus {
  const link = netlink.link(TUNNEL_DEVICE)
  const address = controller.self?.tunnelAddress
  return {
    supported: ipipUnsupported === undefined,
    reason: ipipUnsupported ?? null,
    device:
      link === undefined
        ? null
        : { name: link.name, address: address === undefined ? null : `${formatIpv4(address)}/32`, mtu: link.mtu, up: link.up },
  }
}

function vxlanStatus({ vxlan, netlink, controller }: StatusSources): VxlanStatus {
  const { settings, unsupported } = vxlan
  const link = netlink.link(settings.device)
  const address = controller.self?.tunnelAddress
  return {
    supported: unsupported === undefined,
    reason: unsupported ?? null,
    device:
      link?.vxlan === undefined
        ? null
        : {
            name: link.name,
            address: address === undefined ? null : `${formatIpv4(address)}/32`,
            mac: link.mac ?? null,
            mtu: link.mtu,
            up: link.up,
            vni: link.vxlan.vni,
            port: link.vxlan.port,
          },
  }
}

function bgpStatus(speaker: SpeakerStatus, { neighbours }: Controller): BgpStatus {
  const types = new Map(neighbours.map(({ address, type }) => [formatIpv4(address), type]))
  return {
    routerId: speaker.routerId,
    asn: speaker.asn,
    listen: speaker.listen ?? '',
    settled: speaker.settled,
    originated: speaker.originated,
    peers: speaker.peers.map(peer => peerStatus(peer, types.get(peer.address) ?? 'configured')),
  }
}

function peerStatus(peer: SpokenPeer, type: PeerStatus['type']): PeerStatus {
  const error = peer.lastError
  return {
    address: peer.address,
    name: peer.name,
    asn: peer.remoteAsn ?? 0,
    type,
    state: peer.state,
    since: peer.since,
    received: peer.prefixes.received,
    accepted: peer.prefixes.accepted,
    advertised: peer.prefixes.advertised,
    stale: peer.prefixes.stale,
    flaps: peer.flaps,
    lastError: error === null ? null : `${error.text} (${error.direction}, ${error.at})`,
  }
}

function routeStatus(route: RouteIntent, kernel: KernelView): RouteStatus {
  const destination = formatPrefix(route.destination)
  const state = kernel.stateOf('routes', destination)
  const remote = route.is === 'remote' ? route : undefined
  return {
    destination,
    kind: route.is === 'workload' ? 'workload' : route.is === 'blackhole' ? 'block' : 'remote',
    carriage: remote?.carriage ?? null,
    gateway: remote === undefined ? null : formatIpv4(remote.gateway),
    device: route.is === 'workload' || route.is === 'remote' ? route.device : null,
    node: route.is === 'remote' || route.is === 'unreachable' ? (route.node ?? null) : null,
    text: formatRoute(route),
    why: route.why,
    state: state.is,
    problem: state.is === 'installed' ? null : (state.says ?? null),
  }
}

function workloadStatus({ cluster, config, netlink }: StatusSources): WorkloadStatus[] {
  const links = new Map(netlink.links().map(link => [link.name, link]))
  return [...cluster.snapshot.workloads.values()]
    .filter(({ node }) => node === config.nodeName)
    .flatMap(workload =>
      workload.addresses.map(address => ({
        namespace: workload.namespace,
        pod: workload.pod,
        address: formatIpv4(address),
        interfaceName: workload.interfaceName,
        interfacePresent: links.has(workload.interfaceName),
        interfaceIndex: links.get(workload.interfaceName)?.index ?? null,
        podInterfaceIndex: links.get(workload.interfaceName)?.peer?.index ?? null,
      })),
    )
}
