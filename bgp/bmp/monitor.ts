/** What a speaker does and hears, told to monitoring stations as BMP: peers up and down, routes before the policy, statistics. RFC 7854. */

import type { AnyPrefix } from '@network/base/net/any-prefix.ts'
import { isPrefix6 } from '@network/base/net/any-prefix.ts'
import type { Clock } from '@network/base/time/clock.ts'
import type { Attributes } from '../attributes/attributes.ts'
import { encodeAttributes } from '../attributes/encode.ts'
import { negotiate } from '../fsm/negotiate.ts'
import { formatPeer, isAt, type PeerAddress } from '../peer-address.ts'
import type { Speaker } from '../speaker.ts'
import type { PeerState } from '../status.ts'
import type { Line, Observer } from '../watch/observe.ts'
import { type Family, IPV4_UNICAST, IPV6_UNICAST, sameFamily } from '../wire/capabilities.ts'
import { HEADER_OCTETS, type MessageKind } from '../wire/header.ts'
import type { Identified } from '../wire/nlri.ts'
import { asnOf, decodeOpen } from '../wire/open.ts'
import { encodeAnnouncement, encodeEndOfRib, encodeReachable } from '../wire/update.ts'
import {
  initiation,
  type MonitoredPeer,
  type PeerDownReason,
  peerDown,
  peerUp,
  routeMonitoring,
  STATISTIC,
  statisticsReport,
  termination,
} from './message.ts'

/** A station as the monitor sees it. */
export interface Audience {
  /** One BMP message that just happened. `about` is undefined where it is about no peer. */
  tell(message: Uint8Array, about: UpPeer | undefined): void
  /** A peer is there whose table is yet to be fetched by `tableOf`. */
  welcome(peer: UpPeer): void
}

/** A session that stands. */
export interface UpPeer {
  readonly name: PeerAddress
  readonly line: Line
  readonly peer: MonitoredPeer
  /** Families in which the peer gives each path an id: a station expects them there. RFC 7911. */
  readonly pathIds: readonly Family[]
  /** The Peer Up message. */
  readonly announcement: Uint8Array
}

interface Talk {
  sent?: Uint8Array
  received?: Uint8Array
  /** UPDATEs that arrived in one chunk with what made the session stand. */
  early: Uint8Array[]
  ending: PeerDownReason | undefined
}

const DIALECT = { kind: 'internal', asnOctets: 4 } as const
const PREFIXES_A_MESSAGE = 500
/** RFC 4271 §8.1.2: what ended the session was said by its operator, or is not known more exactly. */
const MANUAL_STOP = 2

export class Monitor implements Observer {
  readonly #clock: Clock
  readonly #name: { readonly system: string; readonly description: string }
  readonly #talks = new Map<Line, Talk>()
  readonly #up = new Map<PeerAddress, UpPeer>()
  readonly #upOn = new Map<Line, UpPeer>()
  readonly #audiences = new Set<Audience>()
  #speaker: Speaker | undefined

  constructor(clock: Clock, name: { readonly system: string; readonly description: string }) {
    this.#clock = clock
    this.#name = name
  }

  /** Follows the speaker whose transport this watches; the result ends it. */
  follow(speaker: Speaker): () => void {
    this.#speaker = speaker
    return speaker.onChange(change => {
      if (change.is === 'peer') this.#stateChanged(change.address, change.state)
    })
  }

  /** A station has connected; the result says goodbye. */
  join(audience: Audience): () => void {
    audience.tell(initiation(this.#name.system, this.#name.description), undefined)
    for (const up of this.#up.values()) audience.welcome(up)
    this.#audiences.add(audience)
    return () => void this.#audiences.delete(audience)
  }

  /** What a station is told when we leave. */
  farewell(): Uint8Array {
    return termination()
  }

  /** Peer Up and all that the peer has told so far, with End-of-RIB: how it looks at this moment. RFC 7854 §5. */
  tableOf(up: UpPeer): readonly Uint8Array[] {
    const at = this.#clock.wall()
    const peer = { ...up.peer, twoOctetAs: false }
    const messages = [up.announcement]
    for (const update of this.#updatesOf(up)) messages.push(routeMonitoring(peer, at, update))
    for (const family of [IPV4_UNICAST, IPV6_UNICAST]) messages.push(routeMonitoring(peer, at, encodeEndOfRib(family)))
    return messages
  }

  isUp(up: UpPeer): boolean {
    return this.#up.get(up.name) === up
  }

  /** One report a peer. RFC 7854 §4.8. */
  reportStatistics(): void {
    const at = this.#clock.wall()
    for (const { address, prefixes, repaired } of this.#speaker?.status().peers ?? []) {
      const up = [...this.#up.values()].find(({ name }) => formatPeer(name) === address)
      if (up === undefined) continue
      const report = statisticsReport(up.peer, at, [
        { type: STATISTIC.rejected, value: prefixes.received - prefixes.accepted },
        { type: STATISTIC.adjRibIn, value: prefixes.received },
        { type: STATISTIC.locRib, value: prefixes.accepted },
        { type: STATISTIC.treatedAsWithdraw, value: repaired.treatedAsWithdraw },
      ])
      this.#tell(report, up)
    }
  }

  message(line: Line, way: 'in' | 'out', kind: MessageKind, bytes: Uint8Array): void {
    const talk = this.#talks.get(line) ?? { early: [], ending: undefined }
    this.#talks.set(line, talk)
    if (kind === 'open') talk[way === 'in' ? 'received' : 'sent'] = bytes
    if (kind === 'notification') talk.ending ??= { is: way === 'in' ? 'remote' : 'local', notification: bytes }
    if (kind === 'update' && way === 'in') this.#heard(line, talk, bytes)
  }

  gone(line: Line, by: 'us' | 'peer'): void {
    const talk = this.#talks.get(line)
    if (talk === undefined) return
    talk.ending ??= by === 'peer' ? { is: 'remote-silent' } : { is: 'local-event', event: MANUAL_STOP }
    if (!this.#upOn.has(line)) this.#talks.delete(line)
  }

  #heard(line: Line, talk: Talk, update: Uint8Array): void {
    const up = this.#upOn.get(line)
    if (up !== undefined) this.#tell(routeMonitoring(up.peer, this.#clock.wall(), update), up)
    else talk.early.push(update)
  }

  #stateChanged(address: PeerAddress, state: PeerState): void {
    const up = this.#up.get(address)
    if (up !== undefined) this.#wentDown(address, up)
    if (state === 'established') this.#cameUp(address)
  }

  #cameUp(name: PeerAddress): void {
    for (const [line, talk] of this.#talks) {
      const { sent, received, ending, early } = talk
      if (!isAt(name, line.remote) || sent === undefined || received === undefined || ending !== undefined) continue
      const described = describe(line, sent, received)
      if (described === undefined) continue
      const { peer, pathIds } = described
      const at = this.#clock.wall()
      const ends = { local: line.local.address, localPort: line.local.port, remotePort: line.remote.port }
      const up: UpPeer = { name, line, peer, pathIds, announcement: peerUp(peer, at, ends, { sent, received }) }
      this.#up.set(name, up)
      this.#upOn.set(line, up)
      for (const audience of this.#audiences) audience.welcome(up)
      for (const update of early.splice(0)) this.#tell(routeMonitoring(peer, at, update), up)
      return
    }
  }

  #wentDown(address: PeerAddress, up: UpPeer): void {
    const reason = this.#talks.get(up.line)?.ending ?? { is: 'local-event', event: MANUAL_STOP }
    this.#tell(peerDown(up.peer, this.#clock.wall(), reason), up)
    this.#up.delete(address)
    this.#upOn.delete(up.line)
    this.#talks.delete(up.line)
  }

  #tell(message: Uint8Array, about: UpPeer): void {
    for (const audience of this.#audiences) audience.tell(message, about)
  }

  *#updatesOf({ name, pathIds }: UpPeer): Generator<Uint8Array, void, void> {
    const groups = new Map<Attributes, Identified<AnyPrefix>[]>()
    const hasIds = (family: Family) => pathIds.some(each => sameFamily(each, family))
    for (const { attributes, prefix: bare, pathId = 0 } of this.#speaker?.adjIn(name) ?? []) {
      const prefix = hasIds(isPrefix6(bare) ? IPV6_UNICAST : IPV4_UNICAST) ? { ...bare, pathId } : bare
      const group = groups.get(attributes)
      if (group === undefined) groups.set(attributes, [prefix])
      else group.push(prefix)
    }
    for (const [attributes, prefixes] of groups)
      for (let from = 0; from < prefixes.length; from += PREFIXES_A_MESSAGE)
        yield* updates(attributes, prefixes.slice(from, from + PREFIXES_A_MESSAGE))
  }
}

function* updates(attributes: Attributes, prefixes: readonly Identified<AnyPrefix>[]): Generator<Uint8Array, void, void> {
  const block = encodeAttributes(attributes, DIALECT)
  const six = prefixes.filter(isPrefix6)
  const four = prefixes.flatMap(prefix => (isPrefix6(prefix) ? [] : [prefix]))
  if (six.length > 0) yield encodeReachable(IPV6_UNICAST, { hops: attributes, attributes: block }, six)
  if (four.length === 0) return
  if (attributes.nextHop6 === undefined) yield encodeAnnouncement(block, four)
  else yield encodeReachable(IPV4_UNICAST, { hops: attributes, attributes: block }, four)
}

function describe(line: Line, sent: Uint8Array, received: Uint8Array): Pick<UpPeer, 'peer' | 'pathIds'> | undefined {
  const theirs = decodeOpen(received.subarray(HEADER_OCTETS))
  const ours = decodeOpen(sent.subarray(HEADER_OCTETS))
  if (!theirs.ok || !ours.ok) return undefined
  const isWide = [theirs, ours].every(({ value }) => value.capabilities.fourOctetAs !== undefined)
  const asn = asnOf(theirs.value)
  const agreed = negotiate(ours.value, theirs.value, { remoteAsn: asn })
  const pathIds = agreed.ok ? (agreed.terms.dialect.addPath?.in ?? []) : []
  return { peer: { address: line.remote.address, asn, routerId: theirs.value.routerId, twoOctetAs: !isWide }, pathIds }
}
