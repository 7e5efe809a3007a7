/** Who is in a simulation and who speaks with whom: a mesh, reflectors with clients, or a fabric of spines and leaves. */
import type { Ipv4 } from '@network/base/net/ipv4.ts'
import { toIpv4 } from '@network/base/net/ipv4.ts'
import { formatPrefix } from '@network/base/net/prefix.ts'

export type Shape =
  | { readonly is: 'mesh'; readonly speakers: number }
  /** Reflectors peer with each other and with every client; clients with reflectors only. */
  | {
      readonly is: 'reflectors'
      readonly speakers: number
      readonly reflectors: number
      /** Of each prefix reflectors tell everybody so many paths (RFC 7911); left out: the best one, without an id. */
      readonly paths?: number | 'all'
    }
  /** External sessions only: every leaf with every spine, every node with its leaf. */
  | { readonly is: 'fabric'; readonly speakers: number; readonly spines: number; readonly leaves: number }

export interface SimulatedSpeaker {
  readonly index: number
  readonly address: Ipv4
  readonly asn: number
  readonly peers: readonly SimulatedPeer[]
}

export interface SimulatedPeer {
  readonly index: number
  /** RFC 4456: everything is reflected to it. */
  readonly isClient: boolean
  /** So many paths of each prefix are told to it; left out: one, without an id. */
  readonly paths?: number | 'all'
}

export interface Topology {
  readonly shape: Shape
  readonly speakers: readonly SimulatedSpeaker[]
  /** Sessions that a route crosses at most. */
  readonly diameter: number
}

const FIRST_ADDRESS = 0x0a80_0001
const FIRST_BLOCK = 0x0a00_0000
const FIRST_SHARED = 0x0a40_0000
const MESH_AS = 64512
const FABRIC_AS = 4_200_000_000

export function topologyOf(shape: Shape): Topology {
  const sessions = sessionsOf(shape)
  const peers = new Map<number, SimulatedPeer[]>()
  const note = (index: number, peer: SimulatedPeer) => {
    const known = peers.get(index)
    if (known === undefined) peers.set(index, [peer])
    else known.push(peer)
  }
  const isReflector = (index: number) => shape.is === 'reflectors' && index < shape.reflectors
  const pathsFrom = (index: number) =>
    shape.is === 'reflectors' && shape.paths !== undefined && isReflector(index) ? { paths: shape.paths } : {}
  for (const [a, b] of sessions) {
    note(a, { index: b, isClient: isReflector(a) && !isReflector(b), ...pathsFrom(a) })
    note(b, { index: a, isClient: isReflector(b) && !isReflector(a), ...pathsFrom(b) })
  }
  const speakers = Array.from({ length: shape.speakers }, (_, index) => ({
    index,
    address: toIpv4(FIRST_ADDRESS + index),
    asn: shape.is === 'fabric' ? FABRIC_AS + index : MESH_AS,
    peers: peers.get(index) ?? [],
  }))
  return { shape, speakers, diameter: { mesh: 1, reflectors: 2, fabric: 6 }[shape.is] }
}

/** Pairs of indices that have a session. */
export function sessionsOf(shape: Shape): readonly (readonly [number, number])[] {
  const all = Array.from({ length: shape.speakers }, (_, index) => index)
  if (shape.is === 'mesh') return pairs(all)
  if (shape.is === 'reflectors') {
    const reflectors = all.slice(0, shape.reflectors)
    const clients = all.slice(shape.reflectors)
    return [...pairs(reflectors), ...reflectors.flatMap(reflector => clients.map(client => [reflector, client] as const))]
  }
  const spines = all.slice(0, shape.spines)
  const leaves = all.slice(shape.spines, shape.spines + shape.leaves)
  const nodes = all.slice(shape.spines + shape.leaves)
  const uplinks = spines.flatMap(spine => leaves.map(leaf => [spine, leaf] as const))
  return [...uplinks, ...nodes.map((node, at) => [leaves[at % leaves.length] ?? 0, node] as const)]
}

/** The block that a speaker announces all its life, as prefix text. */
export function blockOf(index: number): string {
  return formatPrefix({ address: toIpv4(FIRST_BLOCK + index * 64), length: 26 })
}

/** A prefix that several speakers may announce at once. */
export function sharedPrefix(number: number): string {
  return formatPrefix({ address: toIpv4(FIRST_SHARED + number * 256), length: 24 })
}

function pairs(indices: readonly number[]): readonly (readonly [number, number])[] {
  return indices.flatMap((a, at) => indices.slice(at + 1).map(b => [a, b] as const))
}
