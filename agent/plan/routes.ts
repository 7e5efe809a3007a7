/** The routes that this node wants: its pods, its blocks, everybody else's blocks. */

import { formatIpv4, type Ipv4 } from '@network/base/net/ipv4.ts'
import { covers, formatPrefix, type Prefix, toPrefix } from '@network/base/net/prefix.ts'
import { TUNNEL_DEVICE } from '@network/ipip/plan.ts'
import { carriageOf } from '@network/model/carriage.ts'
import type { RouteIntent, VtepIntent } from '@network/model/intent.ts'
import type { IpPool } from '@network/model/resources/ip-pool.ts'
import type { Node } from '@network/model/resources/node.ts'
import type { Snapshot } from '@network/model/snapshot.ts'
import { vtepOf } from '@network/vxlan/plan.ts'
import type { Facts, Learned } from './facts.ts'

/** By destination; what lives here wins over what a peer says of the same destination. */
export function planRoutes(facts: Facts): Map<string, RouteIntent> {
  const routes = new Map<string, RouteIntent>()
  const twins = tunnelTwins(facts)
  for (const learned of facts.learned) put(routes, remoteRoute({ ...facts, twins }, learned))
  for (const block of ownBlocks(facts.self, facts.snapshot))
    put(routes, { is: 'blackhole', destination: block, why: 'own block: addresses that no pod has end here instead of looping' })
  for (const workload of facts.snapshot.workloads.values())
    if (workload.node === facts.self)
      for (const address of workload.addresses)
        put(routes, {
          is: 'workload',
          destination: toPrefix(address, 32),
          device: workload.interfaceName,
          why: `pod ${workload.namespace}/${workload.pod} lives here`,
        })
  return routes
}

/** Confirmed blocks of a node; a pending claim owns nothing. */
export function ownBlocks(self: string, snapshot: Snapshot): Prefix[] {
  return [...snapshot.affinities.values()]
    .filter(({ node, state }) => node === self && state === 'confirmed')
    .map(({ block }) => block)
}

/** Addresses that live here and lie in no block that this node has or claims: borrowed, and so announced one by one. */
export function borrowedAddresses(self: string, snapshot: Snapshot): Prefix[] {
  const blocks = [...snapshot.affinities.values()].filter(({ node }) => node === self).map(({ block }) => block)
  const tunnel = snapshot.nodes.get(self)?.tunnelAddress
  const here = [...snapshot.workloads.values()].filter(({ node }) => node === self).flatMap(({ addresses }) => addresses)
  return [...here, ...(tunnel === undefined ? [] : [tunnel])]
    .map(address => toPrefix(address, 32))
    .filter(one => !blocks.some(block => covers(block, one)) && poolOf(snapshot, one) !== undefined)
}

export function poolOf(snapshot: Snapshot, destination: Prefix): IpPool | undefined {
  return [...snapshot.pools.values()].find(pool => covers(pool.cidr, destination))
}

export function nodeAt(snapshot: Snapshot, address: Ipv4): Node | undefined {
  return [...snapshot.nodes.values()].find(node => node.address === address)
}

function put(routes: Map<string, RouteIntent>, route: RouteIntent | undefined): void {
  if (route !== undefined) routes.set(formatPrefix(route.destination), route)
}

interface WithTwins extends Facts {
  /** Why a node is not sent VXLAN, by its name. */
  readonly twins: ReadonlyMap<string, string>
}

/**
 * Nodes whose tunnel address or MAC another node has too. One neighbour and one forwarding entry cannot serve both: the first by name keeps
 * it, for all nodes decide alike, but nobody sends to others what is his own.
 */
function tunnelTwins({ self, snapshot }: Facts): Map<string, string> {
  const twins = new Map<string, string>()
  const owners = new Map<string, string>()
  const inOrder = [...snapshot.nodes.values()].sort((a, b) => Number(b.name === self) - Number(a.name === self) || order(a, b))
  for (const { name, tunnelAddress, vxlanMac } of inOrder) {
    const address = tunnelAddress === undefined ? undefined : `tunnel address ${formatIpv4(tunnelAddress)}`
    for (const thing of [address, vxlanMac === undefined ? undefined : `VXLAN MAC ${vxlanMac}`]) {
      const owner = thing === undefined ? undefined : owners.get(thing)
      if (owner !== undefined) twins.set(name, `nodes ${owner} and ${name} have the same ${thing}; ${owner} alone is sent VXLAN`)
      else if (thing !== undefined) owners.set(thing, name)
    }
  }
  return twins
}

function order(a: Node, b: Node): number {
  return a.name < b.name ? -1 : 1
}

function remoteRoute(facts: WithTwins, { destination, nextHop, from }: Learned): RouteIntent | undefined {
  const { snapshot, underlay } = facts
  const pool = poolOf(snapshot, destination)
  if (pool === undefined || nextHop === underlay.address) return undefined
  const node = nodeAt(snapshot, nextHop)
  const common = { destination, node: node?.name }
  const owner = node === undefined ? `${formatIpv4(nextHop)} (learned from ${from})` : `node ${node.name}`
  const carriage = carriageOf(pool, [underlay.subnet], { nextHop, isNode: node !== undefined })
  switch (carriage) {
    case 'plain':
      return {
        ...common,
        is: 'remote',
        carriage,
        gateway: nextHop,
        device: underlay.device,
        onlink: false,
        why: `${owner} is on this node's subnet ${formatPrefix(underlay.subnet)}: no tunnel needed`,
      }
    case 'ipip':
      if (facts.ipipUnsupported !== undefined)
        return {
          ...common,
          is: 'unreachable',
          why: `pool ${pool.name} wants IPIP to ${owner}, and this kernel has none: ${facts.ipipUnsupported}`,
        }
      return {
        ...common,
        is: 'remote',
        carriage,
        gateway: nextHop,
        device: TUNNEL_DEVICE,
        onlink: true,
        why: `pool ${pool.name} has ipipMode ${pool.ipipMode}${pool.ipipMode === 'Always' ? '' : `, and ${owner} is on another subnet`}`,
      }
    case 'vxlan':
      return node === undefined ? undefined : throughVxlan(facts, { destination, node, pool })
    case 'gateway':
      return throughGateway(facts, { ...common, nextHop, owner, pool: pool.name, mode: pool.ipipMode })
    default:
      return carriage satisfies never
  }
}

function throughVxlan(
  { vxlan, twins }: WithTwins,
  { destination, node, pool }: { readonly destination: Prefix; readonly node: Node; readonly pool: IpPool },
): RouteIntent {
  const common = { destination, node: node.name }
  const wants = `pool ${pool.name} wants VXLAN to node ${node.name}`
  if (vxlan.unsupported !== undefined)
    return { ...common, is: 'unreachable', why: `${wants}, and this kernel has none: ${vxlan.unsupported}` }
  const peer = vtepOf(vxlan.settings, node)
  const twin = twins.get(node.name)
  if (twin !== undefined) return { ...common, is: 'unreachable', why: `${wants}: ${twin}` }
  if (peer.is === 'deaf') return { ...common, is: 'unreachable', why: `${wants}: ${peer.why}` }
  return {
    ...common,
    is: 'remote',
    carriage: 'vxlan',
    gateway: peer.vtep.address,
    device: peer.vtep.device,
    onlink: true,
    why: `pool ${pool.name} has vxlanMode ${pool.vxlanMode}${pool.vxlanMode === 'Always' ? '' : `, and node ${node.name} is on another subnet`}`,
  }
}

/** The far ends that these routes go via, by that address. */
export function vtepsFor(routes: Iterable<RouteIntent>, { snapshot, vxlan }: Facts): Map<string, VtepIntent> {
  const vteps = new Map<string, VtepIntent>()
  for (const route of routes) {
    if (route.is !== 'remote' || route.carriage !== 'vxlan' || route.node === undefined) continue
    const node = snapshot.nodes.get(route.node)
    const peer = node === undefined ? undefined : vtepOf(vxlan.settings, node)
    if (peer?.is === 'vtep') vteps.set(formatIpv4(peer.vtep.address), peer.vtep)
  }
  return vteps
}

interface Far {
  readonly destination: Prefix
  readonly node: string | undefined
  readonly nextHop: Ipv4
  readonly owner: string
  readonly pool: string
  readonly mode: string
}

function throughGateway(facts: Facts, { destination, node, nextHop, owner, pool, mode }: Far): RouteIntent {
  const hop = facts.gatewayOf(nextHop)
  if (hop.is === 'none')
    return {
      is: 'unreachable',
      destination,
      node,
      why: `the kernel has no route to ${formatIpv4(nextHop)}, where ${owner} is reached`,
    }
  return {
    is: 'remote',
    carriage: 'gateway',
    destination,
    node,
    gateway: hop.gateway,
    device: hop.device,
    onlink: false,
    why: `${owner} is on another subnet and pool ${pool} has ipipMode ${mode}: sent plain to ${formatIpv4(hop.gateway)}, which must know this block`,
  }
}
