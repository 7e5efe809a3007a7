/**
 * What every table must hold in the end, by a slow and obvious model: path vectors exchanged in rounds between speakers that are all up,
 * until nobody changes its mind. It shares no code with the speaker. RFC 4271 §9.1.2, RFC 4456 §6 and §9.
 */
import type { SimulatedPeer, SimulatedSpeaker, Topology } from './topology.ts'

/** Who originates which prefixes, by index of the speaker. */
export type Originated = readonly ReadonlySet<string>[]
/** What a speaker holds of a prefix that it does not originate. */
export interface Expected {
  /** Index of the speaker that is the next hop of the best path. */
  readonly nextHop: number
  /** All paths that may be used, as `pathText` writes them, sorted. */
  readonly paths: readonly string[]
}

/** For each speaker, by prefix text. Own prefixes are left out. */
export type Tables = readonly ReadonlyMap<string, Expected>[]

/** A path by who told it and where it leads, as indices. */
export function pathText(from: number, nextHop: number): string {
  return `${nextHop} told by ${from}`
}

interface ModelRoute {
  readonly kind: 'local' | 'internal' | 'external'
  readonly from: number
  readonly nextHop: number
  readonly asPath: readonly number[]
  readonly originator: number
  readonly clusters: readonly number[]
}

export function expectedTables(topology: Topology, originated: Originated): Tables {
  const tables: Map<string, Expected>[] = topology.speakers.map(() => new Map())
  for (const prefix of new Set(originated.flatMap(prefixes => [...prefixes]))) {
    settle(topology, index => originated[index]?.has(prefix) === true).forEach((known, index) => {
      const [best] = known
      const paths = known.map(({ from, nextHop }) => pathText(from, nextHop)).toSorted()
      if (best !== undefined && best.kind !== 'local') tables[index]?.set(prefix, { nextHop: best.nextHop, paths })
    })
  }
  return tables
}

/** What each speaker knows of one prefix, the best route first. */
function settle({ speakers }: Topology, originates: (index: number) => boolean): readonly (readonly ModelRoute[])[] {
  let known: readonly (readonly ModelRoute[])[] = speakers.map(() => [])
  for (let round = 0; round <= speakers.length; round++) {
    const next = speakers.map(speaker => inOrder(candidatesOf(speaker, speakers, known, originates(speaker.index))))
    if (next.every((routes, index) => JSON.stringify(routes) === JSON.stringify(known[index]))) return next
    known = next
  }
  throw new Error('the model does not settle')
}

function candidatesOf(
  speaker: SimulatedSpeaker,
  speakers: readonly SimulatedSpeaker[],
  known: readonly (readonly ModelRoute[])[],
  isOwn: boolean,
): readonly ModelRoute[] {
  const heard = speaker.peers.flatMap(({ index }) => {
    const sender = speakers[index]
    if (sender === undefined) return []
    return toldTo(sender, speaker, known[index] ?? []).filter(route => !isLoop(route, speaker))
  })
  const { index, address } = speaker
  return isOwn ? [{ kind: 'local', from: -1, nextHop: index, asPath: [], originator: address, clusters: [] }, ...heard] : heard
}

/** The best route, or as many as the two agreed on of those that may be told; never back to where a route came from. */
function toldTo(sender: SimulatedSpeaker, to: SimulatedSpeaker, known: readonly ModelRoute[]): readonly ModelRoute[] {
  const told = (route: ModelRoute | undefined) => (route === undefined ? undefined : tell(sender, to, route))
  const paths = sender.peers.find(({ index }) => index === to.index)?.paths
  const most = paths === 'all' ? known.length : paths
  const chosen = most === undefined ? known.slice(0, 1) : known.filter(route => told(route) !== undefined).slice(0, most)
  return chosen.filter(({ from }) => from !== to.index).flatMap(route => told(route) ?? [])
}

function tell(sender: SimulatedSpeaker, to: SimulatedSpeaker, route: ModelRoute): ModelRoute | undefined {
  const from = sender.index
  if (sender.asn !== to.asn)
    return {
      kind: 'external',
      from,
      nextHop: from,
      asPath: [sender.asn, ...route.asPath],
      originator: sender.address,
      clusters: [],
    }
  if (route.kind !== 'internal') return { ...route, kind: 'internal', from, originator: sender.address, clusters: [] }
  if (!isClient(sender, route.from) && !isClient(sender, to.index)) return undefined
  return { ...route, from, clusters: [sender.address, ...route.clusters] }
}

function isClient({ peers }: SimulatedSpeaker, index: number): boolean {
  return peers.some((peer: SimulatedPeer) => peer.index === index && peer.isClient)
}

function isLoop({ asPath, originator, clusters, kind }: ModelRoute, { asn, address }: SimulatedSpeaker): boolean {
  return asPath.includes(asn) || (kind === 'internal' && originator === address) || clusters.includes(address)
}

/** The best one first. */
function inOrder(candidates: readonly ModelRoute[]): readonly ModelRoute[] {
  return candidates.toSorted(
    (a, b) =>
      Number(a.kind !== 'local') - Number(b.kind !== 'local') ||
      a.asPath.length - b.asPath.length ||
      Number(a.kind === 'internal') - Number(b.kind === 'internal') ||
      a.originator - b.originator ||
      a.clusters.length - b.clusters.length ||
      a.from - b.from,
  )
}
