/** Everything a speaker knows as one MRT table dump. RFC 6396 §4.3. */
import { ipv4 } from '@network/base/net/ipv4.ts'
import { toIpv6 } from '@network/base/net/ipv6.ts'
import { hostOf, parsePeer } from '../peer-address.ts'
import type { Path } from '../rib/path.ts'
import type { Speaker } from '../speaker.ts'
import type { PeerStatus } from '../status.ts'
import { type IndexedPeer, peerIndexTable, type RibEntry, ribRecord } from './record.ts'

/** The place in the index of routes of our own. */
const OURSELVES = 0

/**
 * The records of a dump, one a prefix: every path, used or not, as it is after the import policy. A path is dated with the beginning of
 * the session that told it, which is all that is remembered of its age.
 */
export function* tableDump(speaker: Speaker, at: Date, view = ''): Generator<Uint8Array, void, void> {
  const { routerId, asn, peers } = speaker.status()
  const collector = ipv4(routerId)
  const indexed = [{ routerId: collector, address: collector, asn }, ...peers.map(indexedPeer)]
  yield peerIndexTable(at, collector, view, indexed)
  const places = new Map(peers.map(({ address, since }, place) => [address, { place: place + 1, since: secondsOf(since) }]))
  let sequence = 0
  for (const prefix of prefixesOf(speaker)) {
    const paths = speaker.paths(prefix)
    const [first] = paths
    if (first !== undefined)
      yield ribRecord(
        at,
        sequence++,
        first.prefix,
        paths.map(path => entryOf(path, places, at)),
      )
  }
}

/** Of who is known by an interface alone, the address that its session has. */
function indexedPeer({ address, session, routerId, remoteAsn }: PeerStatus): IndexedPeer {
  const peer = parsePeer(session?.remoteAddress ?? address)
  const host = peer === undefined ? undefined : hostOf(peer)
  return { routerId: ipv4(routerId ?? '0.0.0.0'), address: host ?? toIpv6(0n), asn: remoteAsn ?? 0 }
}

function entryOf(
  { source, attributes, pathId }: Path,
  places: ReadonlyMap<string, { readonly place: number; readonly since: number }>,
  at: Date,
): RibEntry {
  const known = places.get(source.id)
  const since = known?.since ?? Math.floor(at.getTime() / 1000)
  return { peer: known?.place ?? OURSELVES, since, attributes, ...(pathId === undefined ? {} : { pathId }) }
}

function prefixesOf(speaker: Speaker): ReadonlySet<string> {
  const { originated, peers } = speaker.status()
  const prefixes = new Set(originated)
  for (const { address } of peers) {
    const peer = parsePeer(address)
    if (peer !== undefined) for (const { key } of speaker.adjIn(peer)) prefixes.add(key)
  }
  return prefixes
}

function secondsOf(time: string): number {
  return Math.floor(Date.parse(time) / 1000)
}
