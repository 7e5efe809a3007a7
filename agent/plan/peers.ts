/** Who this node speaks BGP with, and how: the mesh, BGPPeers seen from both ends, and the peers of the agent's own file. */

import type { Ipv4 } from '@network/base/net/ipv4.ts'
import type { Seconds } from '@network/base/time/units.ts'
import type { PolicyChain } from '@network/bgp/policy/policy.ts'
import { BGP_PORT } from '@network/model/resources/bgp-configuration.ts'
import type { BgpPeer } from '@network/model/resources/bgp-peer.ts'
import type { Node } from '@network/model/resources/node.ts'
import { matches } from '@network/model/selector/selector.ts'
import type { Snapshot } from '@network/model/snapshot.ts'
import { policyOf } from './filters.ts'
import { asnOf, clusterBgp, portOf } from './identity.ts'

export interface Neighbour {
  readonly name: string
  readonly address: Ipv4
  readonly asn: number
  readonly type: 'mesh' | 'configured'
  /** Who dials first: the lower identifier at once, the higher after a while, so that two connections seldom meet. */
  readonly dials: 'at-once' | 'later'
  /** Left out: 179. */
  readonly port?: number
  /** How the session differs from one of the mesh. */
  readonly terms?: Terms
}

/** What BGPPeers and reflection ask of a session. */
export interface Terms {
  /** The AS that is shown to the peer; undefined: our own. */
  readonly localAsn?: number
  /** Everything is reflected to it. */
  readonly client?: true
  readonly allowOwnAs?: number
  readonly holdTime?: Seconds
  /** How long the peer keeps our routes while we are away. */
  readonly restartTime?: Seconds
  readonly importPolicy?: PolicyChain
  readonly exportPolicy?: PolicyChain
}

export interface PlannedPeers {
  readonly neighbours: readonly Neighbour[]
  /** What of the resources cannot be done, one sentence each. */
  readonly problems: readonly string[]
}

/** A peer of the agent's own file. */
export type ByHand = Pick<Neighbour, 'name' | 'address' | 'asn'>

/** The full mesh: every other Node that is no reflector, unless the mesh is off or this node is a reflector itself. */
export function planMesh(self: Node, snapshot: Snapshot, clusterAsn: number): Neighbour[] {
  const config = clusterBgp(snapshot)
  if (config?.nodeToNodeMeshEnabled === false || self.routeReflectorClusterId !== undefined) return []
  const restartTime = config?.nodeMeshMaxRestartTime
  return others(self, snapshot)
    .filter(node => node.routeReflectorClusterId === undefined)
    .map(node => ({
      ...toNode(self, node, snapshot, clusterAsn),
      type: 'mesh',
      ...(restartTime === undefined ? {} : { terms: { restartTime } }),
    }))
}

/** All of them, each address once: what a BGPPeer says of an address wins over the agent's file, and that over the mesh. */
export function planPeers(
  self: Node,
  snapshot: Snapshot,
  { asn, peers = [] }: { readonly asn: number; readonly peers?: readonly ByHand[] },
): PlannedPeers {
  const planned = [...snapshot.bgpPeers.values()]
    .sort((a, b) => rank(a) - rank(b) || a.metadata.name.localeCompare(b.metadata.name))
    .map(peer => sessionsOf(peer, self, snapshot, asn))
  const neighbours = new Map<Ipv4, Neighbour>()
  for (const one of [...planned.flatMap(({ neighbours }) => neighbours), ...peersByHand(peers), ...planMesh(self, snapshot, asn)])
    if (!neighbours.has(one.address)) neighbours.set(one.address, one)
  return {
    neighbours: [...neighbours.values()],
    problems: [...meshProblems(snapshot), ...new Set(planned.flatMap(({ problems }) => problems))],
  }
}

/** Peers that the agent's own file names. */
export function peersByHand(peers: readonly ByHand[]): Neighbour[] {
  return peers.map(peer => ({ ...peer, type: 'configured', dials: 'at-once' }))
}

/** What is said of one node comes before what is said of some, and that before what is said of all. */
function rank({ spec: { node, nodeSelector } }: BgpPeer): number {
  if (node !== undefined) return 0
  return nodeSelector === undefined ? 2 : 1
}

function meshProblems(snapshot: Snapshot): string[] {
  const config = clusterBgp(snapshot)
  if (config?.nodeToNodeMeshEnabled !== true || config.nodeMeshPassword === undefined) return []
  return ['BGPConfiguration default: nodeMeshPassword cannot be used yet; sessions of the mesh have no password']
}

function sessionsOf(peer: BgpPeer, self: Node, snapshot: Snapshot, clusterAsn: number): PlannedPeers {
  const { spec } = peer
  const isLocal = selects(spec, self)
  const isRemote = spec.peerSelector !== undefined && spec.reversePeering === 'Auto' && chosen(spec.peerSelector, self)
  if (!isLocal && !isRemote) return { neighbours: [], problems: [] }
  const refused = refusalOf(peer)
  if (refused !== undefined) return { neighbours: [], problems: [refused] }
  const ends = endsOf(peer, self, snapshot, { clusterAsn, isLocal, isRemote })
  const sessions = ends.map(end => withTerms(end, peer, self, snapshot, clusterAsn))
  return {
    neighbours: sessions.map(({ neighbour }) => neighbour),
    problems: [...remarksOn(peer), ...sessions.flatMap(({ problems }) => problems)],
  }
}

interface Ends {
  readonly clusterAsn: number
  readonly isLocal: boolean
  readonly isRemote: boolean
}

/** The other ends of a BGPPeer as this node sees them. */
function endsOf({ metadata, spec }: BgpPeer, self: Node, snapshot: Snapshot, { clusterAsn, isLocal, isRemote }: Ends): End[] {
  const { peerIP, peerSelector, asNumber } = spec
  if (peerIP !== undefined && typeof peerIP.address === 'number') {
    const { address, port = BGP_PORT } = peerIP
    const node = [...snapshot.nodes.values()].find(one => one.address === address)
    if (address === self.address || asNumber === undefined) return []
    return [{ name: metadata.name, address, asn: asNumber, port, dials: 'at-once', node, holdsPolicy: true }]
  }
  return others(self, snapshot)
    .filter(node => (isLocal && peerSelector !== undefined && chosen(peerSelector, node)) || (isRemote && selects(spec, node)))
    .map(node => ({
      ...toNode(self, node, snapshot, clusterAsn),
      ...(isRemote && !isLocal && spec.localASNumber !== undefined ? { asn: spec.localASNumber } : {}),
      node,
      // Filters are those of the end that the resource is for.
      holdsPolicy: isLocal && peerSelector !== undefined && chosen(peerSelector, node),
    }))
}

interface End extends Pick<Neighbour, 'name' | 'address' | 'asn' | 'dials'> {
  readonly port: number
  readonly node: Node | undefined
  readonly holdsPolicy: boolean
}

function withTerms(
  { node, holdsPolicy, ...end }: End,
  { spec, metadata }: BgpPeer,
  self: Node,
  snapshot: Snapshot,
  clusterAsn: number,
): { readonly neighbour: Neighbour; readonly problems: readonly string[] } {
  const ownAsn = (holdsPolicy ? spec.localASNumber : undefined) ?? asnOf(self, snapshot, clusterAsn)
  const kind = end.asn === ownAsn ? 'internal' : 'external'
  const filters = holdsPolicy ? spec.filters : []
  const found = filters.map(name => ({ name, filter: snapshot.bgpFilters.get(name) }))
  const missing = found.filter(({ filter }) => filter === undefined).map(({ name }) => name)
  const directions = (['import', 'export'] as const).map(direction =>
    found.flatMap(({ filter }) => (filter === undefined ? [] : [policyOf(filter, { direction, kind, localAsn: ownAsn })])),
  )
  const [importing = [], exporting = []] = directions
  const chain = (read: typeof importing): PolicyChain => [
    ...(missing.length > 0 ? [CLOSED] : []),
    ...read.map(({ policy }) => policy),
  ]
  const exportPolicy: PolicyChain = [...chain(exporting), ...(holdsPolicy && spec.nextHopMode === 'Self' ? [NEXT_HOP_SELF] : [])]
  const importPolicy = chain(importing)
  const isClient =
    self.routeReflectorClusterId !== undefined &&
    kind === 'internal' &&
    node?.routeReflectorClusterId !== self.routeReflectorClusterId
  const terms: Terms = {
    ...(holdsPolicy && spec.localASNumber !== undefined ? { localAsn: spec.localASNumber } : {}),
    ...(isClient ? { client: true } : {}),
    ...(spec.numAllowedLocalASNumbers > 0 ? { allowOwnAs: spec.numAllowedLocalASNumbers } : {}),
    ...(spec.holdTime === undefined ? {} : { holdTime: spec.holdTime }),
    restartTime: spec.maxRestartTime,
    ...(importPolicy.length > 0 ? { importPolicy } : {}),
    ...(exportPolicy.length > 0 ? { exportPolicy } : {}),
  }
  const keeps = spec.nextHopMode === 'Keep' || spec.keepOriginalNextHop === true
  return {
    neighbour: { ...end, type: 'configured', terms },
    problems: [
      ...missing.map(
        name => `BGPPeer ${metadata.name}: there is no BGPFilter ${name}; nothing is exchanged over its sessions until there is`,
      ),
      ...(keeps && kind === 'external'
        ? [`BGPPeer ${metadata.name}: the next hop cannot be kept towards a peer in another AS yet; this node stands there`]
        : []),
      ...[...importing, ...exporting].flatMap(({ problems }) => problems),
    ],
  }
}

/** A filter that is not there might have refused anything. */
const CLOSED: PolicyChain[number] = { name: 'that is missing', rules: [], otherwise: 'reject' }
const NEXT_HOP_SELF: PolicyChain[number] = {
  name: 'nextHopMode Self',
  rules: [{ name: '1', when: [], change: [{ set: 'next-hop-self' }], verdict: 'accept' }],
  otherwise: 'accept',
}

/** Why there is no session at all: without what was asked for it would be less safe than it says, or is of a kind that is not there. */
function refusalOf({ metadata: { name }, spec }: BgpPeer): string | undefined {
  const none = (field: string, why: string) => `BGPPeer ${name}: ${field} ${why}; there is no session`
  if (spec.password !== undefined) return none('password', 'cannot be used yet')
  if (spec.ttlSecurity !== undefined) return none('ttlSecurity', 'cannot be used yet')
  if (spec.localWorkloadSelector !== undefined) return none('localWorkloadSelector', 'cannot be used yet: pods are no peers here')
  if (spec.peerIP !== undefined && typeof spec.peerIP.address !== 'number')
    return none('peerIP', 'is an IPv6 address, and sessions go over IPv4 here')
  return undefined
}

/** What of a session that there is does nothing. */
function remarksOn({ metadata: { name }, spec }: BgpPeer): string[] {
  const says = (field: string, why: string) => `BGPPeer ${name}: ${field} ${why}`
  return [
    ...(spec.sourceAddress === 'None'
      ? [says('sourceAddress None', 'does nothing: sessions start from the address of the node')]
      : []),
    ...(spec.keepaliveTime === undefined ? [] : [says('keepaliveTime', 'does nothing: it is a third of the hold time')]),
    ...(spec.reachableBy === undefined
      ? []
      : [says('reachableBy', 'does nothing: the kernel needs a route to the peer by other means')]),
  ]
}

function others(self: Node, { nodes }: Snapshot): Node[] {
  return [...nodes.values()].filter(node => node.name !== self.name && node.address !== self.address)
}

function toNode(self: Node, node: Node, snapshot: Snapshot, clusterAsn: number) {
  return {
    name: node.name,
    address: node.address,
    asn: asnOf(node, snapshot, clusterAsn),
    port: portOf(node.name, snapshot),
    dials: self.address < node.address ? ('at-once' as const) : ('later' as const),
  }
}

function selects({ node, nodeSelector }: BgpPeer['spec'], of: Node): boolean {
  if (node !== undefined) return node === of.name
  return nodeSelector === undefined || chosen(nodeSelector, of)
}

function chosen(selector: Parameters<typeof matches>[0], { labels = {} }: Node): boolean {
  return matches(selector, labels)
}
