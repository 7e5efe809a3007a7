/** Every message and every change of state as MRT records, as they happen. RFC 6396 §4.4. */
import { formatIpv4, ipv4 } from '@network/base/net/ipv4.ts'
import type { Clock } from '@network/base/time/clock.ts'
import type { Speaker } from '../speaker.ts'
import type { PeerState } from '../status.ts'
import type { Line, Observer } from '../watch/observe.ts'
import { HEADER_OCTETS, type MessageKind } from '../wire/header.ts'
import { asnOf, decodeOpen } from '../wire/open.ts'
import { type Ends, messageRecord, stateRecord } from './record.ts'

/** What both OPENs of a connection said of AS numbers. */
interface Spoken {
  in?: { readonly asn: number; readonly four: boolean }
  out?: { readonly asn: number; readonly four: boolean }
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
    const isWide = spoken.in?.four !== false && spoken.out?.four !== false
    const ends = endsOf(line, spoken)
    this.#write(messageRecord(this.#clock.wall(), ends, bytes, { way, asnOctets: isWide ? 4 : 2, addPath: false }))
  }

  gone(line: Line): void {
    this.#spoken.delete(line)
  }

  /** Follows the states of a speaker's peers; the result ends it. */
  follow(speaker: Speaker): () => void {
    const states = new Map<number, PeerState>()
    return speaker.onChange(change => {
      if (change.is !== 'peer') return
      const { asn, routerId, peers } = speaker.status()
      const before = states.get(change.address) ?? 'idle'
      states.set(change.address, change.state)
      const peer = peers.find(({ address }) => address === formatIpv4(change.address))
      const local = peer?.session?.localAddress ?? routerId
      const ends = { peerAsn: peer?.remoteAsn ?? 0, localAsn: asn, peer: change.address, local: ipv4(local) }
      if (before !== change.state) this.#write(stateRecord(this.#clock.wall(), ends, before, change.state))
    })
  }
}

function note(spoken: Spoken, way: 'in' | 'out', bytes: Uint8Array): void {
  const open = decodeOpen(bytes.subarray(HEADER_OCTETS))
  if (open.ok) spoken[way] = { asn: asnOf(open.value), four: open.value.capabilities.fourOctetAs !== undefined }
}

/** Before the OPEN of an end is seen its AS is 0. */
function endsOf({ local, remote }: Line, spoken: Spoken): Ends {
  return { peerAsn: spoken.in?.asn ?? 0, localAsn: spoken.out?.asn ?? 0, peer: remote.address, local: local.address }
}
