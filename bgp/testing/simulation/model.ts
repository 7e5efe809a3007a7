/**
 * What every table must hold in the end, by a slow and obvious model: path vectors exchanged in rounds between speakers that are all up,
 * until nobody changes its mind. It shares no code with the speaker. RFC 4271 §9.1.2, RFC 4456 §6 and §9.
 */
import type { SimulatedPeer, SimulatedSpeaker, Topology } from './topology.ts'

/** Who originates which prefixes, by index of the speaker. */
export type Originated = readonly ReadonlySet<string>[]
/** For each speaker: prefix text to index of the speaker that is the next hop. Own prefixes are left out. */
export type Tables = readonly ReadonlyMap<string, number>[]

interface ModelRoute {
  readonly kind: 'local' | 'internal' | 'external'
  readonly from: number
  readonly nextHop: number
  readonly asPath: readonly number[]
  readonly originator: number
  readonly clusters: readonly number[]
}

export function expectedTables(topology: Topology, originated: Originated): Tables {
  const tables: Map<string, number>[] = topology.speakers.map(() => new Map())
  for (const prefix of new Set(originated.flatMap(prefixes => [...prefixes]))) {
    settle(topology, index => originated[index]?.has(prefix) === true).forEach((route, index) => {
      if (route !== undefined && route.kind !== 'local') tables[index]?.set(prefix, route.nextHop)
    })
  }
  return tables
}

/** The best route of each speaker for one prefix. */
function settle({ speakers }: Topology, originates: (index: number) => boolean): readonly (ModelRoute | undefined)[] {
  let best: readonly (ModelRoute | undefined)[] = speakers.map(() => undefined)
  for (let round = 0; round <= speakers.length; round++) {
    const next = speakers.map(speaker => bestOf(candidatesOf(speaker, speakers, best, originates(speaker.index))))
    if (next.every((route, index) => isSame(route, best[index]))) return next
    best = next
  }
  throw new Error('the model does not settle')
}

function candidatesOf(
  speaker: SimulatedSpeaker,
  speakers: readonly SimulatedSpeaker[],
  best: readonly (ModelRoute | undefined)[],
  isOwn: boolean,
): readonly ModelRoute[] {
  if (isOwn) return [{ kind: 'local', from: -1, nextHop: speaker.index, asPath: [], originator: speaker.address, clusters: [] }]
  return speaker.peers.flatMap(({ index }) => {
    const sender = speakers[index]
    const route = best[index]
    if (sender === undefined || route === undefined || route.from === speaker.index) return []
    const told = tell(sender, speaker, route)
    return told === undefined || isLoop(told, speaker) ? [] : [told]
  })
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

function bestOf(candidates: readonly ModelRoute[]): ModelRoute | undefined {
  return candidates.toSorted(
    (a, b) =>
      a.asPath.length - b.asPath.length ||
      Number(a.kind === 'internal') - Number(b.kind === 'internal') ||
      a.originator - b.originator ||
      a.clusters.length - b.clusters.length ||
      a.from - b.from,
  )[0]
}

function isSame(a: ModelRoute | undefined, b: ModelRoute | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
