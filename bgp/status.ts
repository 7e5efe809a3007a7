/** What the speaker tells about itself; everything named *Status and Explanation is plain JSON. */
import type { AnyAddress } from '@network/base/net/any-address.ts'
import type { Ipv4 } from '@network/base/net/ipv4.ts'
import type { Prefix } from '@network/base/net/prefix.ts'
import type { Attributes } from './attributes/attributes.ts'
import type { BfdStatus } from './bfd/monitor.ts'
import type { PeerAddress } from './peer-address.ts'

/** A best path that came from a peer. */
export interface LearnedRoute {
  readonly prefix: Prefix
  readonly nextHop: Ipv4
  /** Address of the peer that told us. */
  readonly peer: AnyAddress
  readonly peerName: string
  /** The peer is away and may come back (RFC 4724): keep forwarding. */
  readonly stale: boolean
  readonly attributes: Attributes
}

export type PeerState = 'idle' | 'connect' | 'active' | 'open-sent' | 'open-confirm' | 'established'

export type SpeakerChange =
  /** Best learned paths appeared, changed or went; ask `learned()` for each key. A mere change of `stale` is not told. */
  | { readonly is: 'routes'; readonly prefixes: readonly string[] }
  | { readonly is: 'peer'; readonly address: PeerAddress; readonly state: PeerState }

export interface SpeakerStatus {
  readonly routerId: string
  readonly asn: number
  readonly listen: string | null
  /** True once every peer has told all it knows, or the deferral ran out. */
  readonly settled: boolean
  readonly originated: readonly string[]
  readonly learned: number
  readonly peers: readonly PeerStatus[]
  readonly strangers: { readonly refused: number; readonly last: string | null }
}

export interface PeerStatus {
  /** `192.0.2.1`, `2001:db8::1`, `fe80::1%eth1`, or the interface at whose other end it is. */
  readonly address: string
  readonly name: string
  /** Null: any of its kind may come, and none has. */
  readonly remoteAsn: number | null
  readonly kind: 'internal' | 'external'
  readonly routerId: string | null
  readonly state: PeerState
  /** RFC 3339: since when the state holds. */
  readonly since: string
  /** Milliseconds in this state, by the monotonic clock. */
  readonly sinceMillis: number
  readonly prefixes: { readonly received: number; readonly accepted: number; readonly advertised: number; readonly stale: number }
  readonly messages: { readonly in: MessageCounts; readonly out: MessageCounts }
  /** UPDATEs that RFC 7606 turned into withdrawals, and attributes it discarded. */
  readonly repaired: {
    readonly treatedAsWithdraw: number
    readonly attributesDiscarded: number
    /** Faults by name of the attribute. */
    readonly byAttribute: Readonly<Record<string, number>>
  }
  /** How often an established session was lost. */
  readonly flaps: number
  readonly lastError: PeerError | null
  /** What its streams carry and demand; the password itself is told to nobody. */
  readonly protection: {
    readonly md5: boolean
    /** GTSM: how many hops away it may be. */
    readonly ttlSecurityHops: number | null
    readonly ttl: number | null
    readonly device: string | null
  }
  /** Where there is no address to dial: the interface, and who was seen at its other end. Null: it has an address. */
  readonly unnumbered: { readonly device: string; readonly seen: string | null } | null
  /** The session is about to end, and the peer has been told so (RFC 8326). */
  readonly draining: boolean
  /** Null: nobody asked for BFD, or it cannot run here. */
  readonly bfd: BfdStatus | null
  readonly session: SessionStatus | null
  readonly gracefulRestart: {
    /** We keep the peer's routes while it is away, or until it has told all again. */
    readonly helping: boolean
    /** RFC 3339: when the stale routes go at the latest, or become the last resort. */
    readonly staleUntil: string | null
    /** The restart time is over, and routes stay as the last resort (RFC 9494). */
    readonly longLived: boolean
    readonly endOfRibReceived: boolean
    readonly endOfRibSent: boolean
  }
}

export interface MessageCounts {
  readonly open: number
  readonly update: number
  readonly notification: number
  readonly keepalive: number
  readonly routeRefresh: number
}

export interface PeerError {
  /** `sent` and `received` are NOTIFICATIONs; `local` is what happened to TCP or while dialling. */
  readonly direction: 'sent' | 'received' | 'local'
  readonly code: number | null
  readonly subcode: number | null
  readonly text: string
  /** The data of a NOTIFICATION in hex: what offended. */
  readonly data: string | null
  /** RFC 3339. */
  readonly at: string
}

export interface SessionStatus {
  readonly localAddress: string
  readonly remoteAddress: string
  /** What routes of each family point at that are to point at us; null: they cannot, and stay here. */
  readonly nextHops: { readonly ipv4: string | null; readonly ipv6: string | null }
  /** In words, which of the agreed families have no next hop of ours, and what mends it. */
  readonly untold: readonly string[]
  readonly dialledBy: 'us' | 'peer'
  readonly holdTimeSeconds: number
  readonly keepaliveSeconds: number
  readonly fourOctetAs: boolean
  readonly routeRefresh: boolean
  /** Families of which several paths of a prefix may be told, each with its id. RFC 7911. */
  readonly pathIds: { readonly heard: readonly string[]; readonly told: readonly string[] }
  /** What the peer says that it is to us (RFC 9234). */
  readonly peerRole: string | null
  readonly gracefulRestart: {
    readonly restarting: boolean
    readonly restartTimeSeconds: number
    readonly ipv4: 'absent' | 'forwarding-kept' | 'forwarding-lost'
  } | null
}

/** Why a prefix is used as it is. */
export interface Explanation {
  readonly prefix: string
  readonly paths: readonly ExplainedPath[]
}

export interface ExplainedPath {
  /** Address of the peer, or `local` for a route of our own. */
  readonly from: string
  readonly name: string
  /** What the peer calls this one of its paths; left out: it tells one path a prefix. RFC 7911. */
  readonly pathId?: number
  readonly nextHop: string | null
  readonly stale: boolean
  /** Packets may go this way: it is the best, or multipath takes it along. */
  readonly used: boolean
  readonly verdict:
    | { readonly is: 'best' }
    | { readonly is: 'lost'; readonly by: string }
    | { readonly is: 'refused'; readonly why: string }
    | { readonly is: 'ineligible'; readonly why: string }
}
