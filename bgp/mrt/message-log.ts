/** Every message and every change of state as MRT records, as they happen. RFC 6396 §4.4. */
import type { AnyAddress } from '@network/base/net/any-address.ts'
import type { AnyPrefix } from '@network/base/net/any-prefix.ts'
import { toIpv4 } from '@network/base/net/ipv4.ts'
import { toIpv6 } from '@network/base/net/ipv6.ts'
import type { Clock } from '@network/base/time/clock.ts'
import { negotiate } from '../fsm/negotiate.ts'
import { formatPeer, hostOf, type PeerAddress, parsePeer } from '../peer-address.ts'
import type { Speaker } from '../speaker.ts'
import type { PeerState } from '../status.ts'
import type { Line, Observer } from '../watch/observe.ts'
import { type Dialect, dialectOut } from '../wire/dialect.ts'
import { HEADER_OCTETS, type MessageKind } from '../wire/header.ts'
import type { Identified } from '../wire/nlri.ts'
import { asnOf, decodeOpen, type Open } from '../wire/open.ts'
import { decodeUpdate } from '../wire/update.ts'
import { type Ends, messageRecord, stateRecord } from './record.ts'

/** What both OPENs of a connection said, and what follows from it for path ids. */
interface Spoken {
  in?: Open
  out?: Open
  ids?: { readonly in: Dialect; readonly out: Dialect } | undefined
}

export class MessageLog implements Observer {
  readonly #clock: Clock
  readonly #write: (record: Uint8Array) => void
  readonly #spoken = new Map<Line, Spoken>()

  constructor(clock: Clock, write: (record: Uint8Array) => void) {
    this.#clock = clock
    this.#write = write
  }

  message(line: Line, way: 'in' | 'out', kind: MessageKind, bytes: Uint8Array): void {
    const spoken = this.#spoken.get(line) ?? {}
    this.#spoken.set(line, spoken)
    if (kind === 'open') note(spoken, way, bytes)
    const isWide = isFour(spoken.in) && isFour(spoken.out)
    const addPath = kind === 'update' && hasIds(bytes, spoken.ids?.[way])
    const ends = endsOf(line, spoken)
    this.#write(messageRecord(this.#clock.wall(), ends, bytes, { way, asnOctets: isWide ? 4 : 2, addPath }))
  }

  gone(line: Line): void {
    this.#spoken.delete(line)
  }

  /** Follows the states of a speaker's peers; the result ends it. */
  follow(speaker: Speaker): () => void {
    const states = new Map<PeerAddress, PeerState>()
    return speaker.onChange(change => {
      if (change.is !== 'peer') return
      const { asn, peers } = speaker.status()
      const before = states.get(change.address) ?? 'idle'
      states.set(change.address, change.state)
      const peer = peers.find(({ address }) => address === formatPeer(change.address))
      const [there, here] = [peer?.session?.remoteAddress, peer?.session?.localAddress].map(hostIn)
      const remote = there ?? hostOf(change.address) ?? NOWHERE6
      const nowhere = typeof remote === 'number' ? NOWHERE : NOWHERE6
      const ends = { peerAsn: peer?.remoteAsn ?? 0, localAsn: asn, peer: remote, local: here ?? nowhere }
      if (before !== change.state) this.#write(stateRecord(this.#clock.wall(), ends, before, change.state))
    })
  }
}

/** Both ends of a record are of one family. */
const [NOWHERE, NOWHERE6] = [toIpv4(0), toIpv6(0n)]

function hostIn(text: string | undefined): AnyAddress | undefined {
  const peer = text === undefined ? undefined : parsePeer(text)
  return peer === undefined ? undefined : hostOf(peer)
}

function note(spoken: Spoken, way: 'in' | 'out', bytes: Uint8Array): void {
  const open = decodeOpen(bytes.subarray(HEADER_OCTETS))
  if (!open.ok) return
  spoken[way] = open.value
  if (spoken.in !== undefined && spoken.out !== undefined) spoken.ids = dialectsOf(spoken.out, spoken.in)
}

/** Undefined where no path id is ever said. RFC 7911. */
function dialectsOf(ours: Open, theirs: Open): Spoken['ids'] {
  const agreed = negotiate(ours, theirs, { remoteAsn: asnOf(theirs) })
  if (!agreed.ok || agreed.terms.dialect.addPath === undefined) return undefined
  return { in: agreed.terms.dialect, out: dialectOut(agreed.terms.dialect) }
}

/** RFC 8050 §3: readers are told of path ids message by message. */
function hasIds(message: Uint8Array, dialect: Dialect | undefined): boolean {
  if (dialect === undefined) return false
  const said = decodeUpdate(message.subarray(HEADER_OCTETS), dialect)
  if (said.is !== 'routes') return false
  const announced = [...said.announced, ...said.ipv6.announced].flatMap(
    ({ prefixes }): readonly Identified<AnyPrefix>[] => prefixes,
  )
  return [...said.withdrawn, ...said.ipv6.withdrawn, ...announced].some(({ pathId }) => pathId !== undefined)
}

function isFour(open: Open | undefined): boolean {
  return open === undefined || open.capabilities.fourOctetAs !== undefined
}

/** Before the OPEN of an end is seen its AS is 0. */
function endsOf({ local, remote }: Line, spoken: Spoken): Ends {
  const asnIn = (open: Open | undefined) => (open === undefined ? 0 : asnOf(open))
  return { peerAsn: asnIn(spoken.in), localAsn: asnIn(spoken.out), peer: remote.address, local: local.address }
}
