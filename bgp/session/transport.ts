/** What the driver needs from a network: TCP in life, a network in memory in tests. */
import type { AnyAddress } from '@network/base/net/any-address.ts'
import type { AnyPrefix } from '@network/base/net/any-prefix.ts'
import type { Ipv6 } from '@network/base/net/ipv6.ts'
import type { Secret } from '@network/base/run/secret.ts'
import type { Datagrams } from '../bfd/datagrams.ts'
import type { Links } from '../unnumbered/discovery.ts'

export interface Endpoint {
  readonly address: AnyAddress
  readonly port: number
  /** The interface of a link-local address. RFC 4007 §11. */
  readonly zone?: string
}

/** Our end of a stream. */
export interface LocalEnd extends Endpoint {
  /** Our link-local address on the link that we share with the peer; left out: there is no such link, or nobody knows. */
  readonly linkLocal?: Ipv6
}

/** RFC 2385 leaves it open; the kernel takes so many octets. */
export const LONGEST_PASSWORD = 80

/** What a stream with one peer carries and demands from its first segment on. */
export interface Guard {
  /** Every segment is signed with it, both ways (RFC 2385); at most 80 octets. */
  readonly password?: Secret
  /** Time to live of what we send; left out: the system's. */
  readonly ttl?: number
  /** What arrives with less is dropped (RFC 5082). */
  readonly minTtl?: number
  /** The only interface that its packets use. */
  readonly device?: string
}

export const UNGUARDED: Guard = {}

/** Peers who may connect, and what they must bring. */
export interface Expected {
  readonly range: AnyPrefix
  readonly guard: Guard
}

/** One byte stream. Nothing is told to its listener after `close`. */
export interface Wire {
  readonly local: LocalEnd
  readonly remote: Endpoint
  /** False asks the sender to wait for `drained`. The bytes may be read later: they never change again. */
  send(bytes: Uint8Array): boolean
  /** The same for several, in one system call where there is one. */
  sendAll(slices: readonly Uint8Array[]): boolean
  /** Other protection from here on, without a new stream; in words why it cannot be had. */
  guard(guard: Guard): string | undefined
  /** Flushes and sends FIN; resolves when the stream is gone, after a short linger at the latest. */
  close(): Promise<void>
}

/** What a stream tells its owner. */
export interface WireListener {
  data(bytes: Uint8Array): void
  drained(): void
  /** The stream is gone; says how, in words. */
  lost(why: string): void
}

export interface Dial {
  /** Gives up; nothing is told any more. */
  cancel(): void
}

export interface DialListener {
  /** The stream stands: gives who listens to it. */
  opened(wire: Wire): WireListener
  failed(reason: DialFailure): void
}

export interface DialFailure {
  /** `ECONNREFUSED` and its like. */
  readonly code: string
  readonly says: string
}

export interface Transport {
  /** Resolves when bound; `accept` returns undefined to refuse. Rejects with a Fault that names the address. */
  listen(at: Endpoint, accept: (wire: Wire) => WireListener | undefined): Promise<Listening>
  dial(to: Endpoint, from: AnyAddress | undefined, listener: DialListener, guard?: Guard): Dial
  /** UDP, for BFD; left out: there is none. */
  readonly datagrams?: Datagrams
  /** Who is at the other end of an interface; left out: nobody can say. */
  readonly links?: Links
  /** Calls back when all that has arrived by now has been told to its listeners. */
  turn(act: () => void): void
}

export interface Listening {
  /** As bound: port 0 has become a real one. */
  readonly endpoint: Endpoint
  /** Makes the peers who must sign, and what they are answered with, exactly these. Throws a Fault where the system refuses. */
  expect(peers: readonly Expected[]): void
  close(): Promise<void>
}
