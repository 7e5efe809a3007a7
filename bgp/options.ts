/** What the user of the speaker says: who we are, who the peers are, what we announce and what we let in. */
import type { AnyAddress } from '@network/base/net/any-address.ts'
import type { AnyPrefix } from '@network/base/net/any-prefix.ts'
import type { Ipv4 } from '@network/base/net/ipv4.ts'
import type { Ipv6 } from '@network/base/net/ipv6.ts'
import type { Prefix } from '@network/base/net/prefix.ts'
import type { Log } from '@network/base/run/log.ts'
import type { Secret } from '@network/base/run/secret.ts'
import type { Clock, Random } from '@network/base/time/clock.ts'
import type { Millis, Seconds } from '@network/base/time/units.ts'
import type { LargeCommunity } from './attributes/attributes.ts'
import type { Role } from './attributes/only-to-customer.ts'
import type { BfdSettings } from './bfd/monitor.ts'
import type { HopRules } from './export/advertise.ts'
import type { PeerAddress } from './peer-address.ts'
import type { WithoutPolicy } from './policy/default.ts'
import type { PolicyChain } from './policy/policy.ts'
import type { DecisionOptions } from './rib/decision-options.ts'
import type { ResolveNextHop } from './rib/next-hops.ts'
import type { Transport } from './session/transport.ts'
import type { Family } from './wire/capabilities.ts'

export interface SpeakerOptions {
  /** BGP identifier; never 0.0.0.0. */
  readonly routerId: Ipv4
  /** Own AS, 1 to 4294967295. */
  readonly asn: number
  /** Where peers reach us; undefined: only dial. Its address is also where dialled sessions of its family start from. `::` is for IPv6 alone. */
  readonly listen: ListenAt | undefined
  /** Offered hold time: 0 (no timers) or at least 3. */
  readonly holdTime: Seconds
  /** Between two attempts to connect; jittered to 0.75–1.0 of it. */
  readonly connectRetry: Millis
  readonly gracefulRestart: {
    /** Offered restart time, 0 to 4095: how long peers keep our routes when we vanish. */
    readonly restartTime: Seconds
    /** True when forwarding state of an earlier life is still in the kernel: peers then keep our routes while they hear them again. */
    readonly restarting: boolean
    /** How long `settled` waits at most for peers that do not come or do not finish. */
    readonly deferral: Millis
    /** After the restart time, routes may stay as the last resort; left out: they go. RFC 9494. */
    readonly longLived?: LongLived
  }
  readonly importFilter: ImportFilter
  /** RFC 4456 §7; left out: the router id. */
  readonly clusterId?: Ipv4
  /** What an external peer without policies exchanges; left out: everything. RFC 8212. */
  readonly withoutPolicy?: WithoutPolicy
  readonly decision?: DecisionOptions
  /** Whether a next hop can be reached, and how far it is; left out: each can, and all are equally far. `nextHopsChanged` has it asked again. */
  readonly resolveNextHop?: ResolveNextHop
  /** Left out: what one client tells is reflected to the others. `'off'`: they peer with each other (RFC 4456 §6). */
  readonly clientToClient?: 'off'
  /** More places where peers reach us. */
  readonly alsoListen?: readonly ListenAt[]
  /** Who may come without being named. */
  readonly dynamicPeers?: readonly DynamicPeers[]
  /** RFC 8538: routes are kept over a NOTIFICATION too, where the peer does the same; left out: not offered. */
  readonly keepOverNotification?: true
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** TCP when left out; tests put a network in memory here. */
  readonly transport?: Transport
}

/** An address of this machine, or one that stands for all of them. */
export interface ListenAt {
  readonly address: AnyAddress
  readonly port: number
}

export interface LongLived {
  /** Offered to peers: how long they keep our routes after the restart time, up to 16777215. */
  readonly staleTime: Seconds
  /** Peers inside that take no part are told of such routes too, with NO_EXPORT and LOCAL_PREF 0 (§4.6). Left out: what they were told is withdrawn. */
  readonly lastResortInside?: true
}

export interface PeerConfig {
  /** Names the session: one peer per address. An interface alone (`onLink`): whoever its router advertisements show to be at the other end. */
  readonly address: PeerAddress
  /** For people: the node's name. */
  readonly name: string
  /** Equal to our own: internal (iBGP); otherwise external (eBGP). A word where any AS of that kind will do. */
  readonly asn: number | 'internal' | 'external'
  readonly port: number
  /** True: never dial, wait for the peer. */
  readonly passive: boolean
  /** Wait this long before dialling, so that of two speakers started together one comes first. */
  readonly dialAfter: Millis
  /** Where sessions that we dial start from; left out: the address at which the speaker listens. */
  readonly localAddress?: AnyAddress
  /** Every segment of the session is signed with it (TCP MD5, RFC 2385): 1 to 80 octets. */
  readonly password?: Secret
  /** GTSM (RFC 5082): the peer is at most so many hops away, 1 for a neighbour on the link; both ends must do it. */
  readonly ttlSecurity?: { readonly hops: number }
  /** Time to live of what we send, 1 to 255; left out: 255 with `ttlSecurity`, else the system's. */
  readonly ttl?: number
  /** The interface that the session is bound to. */
  readonly device?: string
  /** BFD watches the path to the peer (RFC 5880–5883): when it fails the session ends at once, with 6/10. */
  readonly bfd?: BfdTerms
  /** Left out: IPv4 unicast. */
  readonly families?: readonly Family[]
  /** Left out: the speaker's. */
  readonly holdTime?: Seconds
  readonly connectRetry?: Millis
  /** Offered restart time (RFC 4724), said when a session begins; left out: the speaker's. */
  readonly restartTime?: Seconds
  /** Shortest hold time of the peer that is taken. */
  readonly minHoldTime?: Seconds
  /** The AS that we are in towards this peer. RFC 7705. */
  readonly localAs?: LocalAs
  /** An internal peer to which everything is reflected. RFC 4456. */
  readonly client?: true
  /** How often our own AS may be in a path of this peer; left out: never. */
  readonly allowOwnAs?: number
  /** The peer's AS in a path towards it becomes ours, so that its sites may hear of each other. */
  readonly asOverride?: true
  /** Paths that this external peer's AS is in are not told to it: it would drop them. */
  readonly skipLoops?: true
  /** Private AS numbers (RFC 6996) are taken out of paths towards this external peer. */
  readonly removePrivateAs?: true
  /** The first AS in a path of an external peer need not be its own: it is a route server. */
  readonly isRouteServer?: true
  /** What we are to this external peer: its routes go where such routes may go, and no leak comes in or out. RFC 9234. Left out: not looked at. */
  readonly role?: Role
  /** A peer that does not say its own role gets no session (2/11). */
  readonly strictRole?: true
  /** Paths with AS_SETs are used in spite of RFC 9774. */
  readonly acceptAsSets?: true
  /** This external peer is a client of ours as a route server: routes of others pass to it with AS path, next hop and MED as they were told. RFC 7947. */
  readonly routeServerClient?: true
  /** Next hops in what the peer is told, where they are not to be what RFC 4271 §5.1.3 says. */
  readonly nextHops?: HopRules
  /** Counts before LOCAL_PREF, in this speaker only: the higher wins. Left out: 0. */
  readonly weight?: number
  /** Announcements wait until this long after the last ones, jittered to 0.75–1.0 of it; withdrawals never wait. RFC 4271 §9.2.1.1. Left out: 0. */
  readonly advertisementInterval?: Millis
  readonly maxPrefixes?: MaxPrefixes
  /** Where several paths of a prefix may be told; left out: one. RFC 7911. */
  readonly addPath?: readonly AddPath[]
  /** Paths of one prefix that the peer may tell; one more ends the session with 6/1. Left out: 256. */
  readonly maxPaths?: number
  /** Left out: whatever `withoutPolicy` says. Set: RFC 8212 is satisfied, with an empty chain too. */
  readonly importPolicy?: PolicyChain
  readonly exportPolicy?: PolicyChain
  /** IPv4 routes may have IPv6 next hops (RFC 8950). Left out: only with a peer on a link, by its link-local address. */
  readonly ipv4OverIpv6?: boolean
  /** The next hop of IPv4 routes of ours; left out: our end of the session, where that is over IPv4. */
  readonly localAddress4?: Ipv4
  /** The next hop of IPv6 routes of ours; left out: our end of the session, where that is over IPv6. */
  readonly localAddress6?: Ipv6
  /** The session is about to end: what is told is marked GRACEFUL_SHUTDOWN, what is heard is the last resort (RFC 8326). */
  readonly drain?: true
  /** Present: no session, and the peer is told these words (RFC 9003). */
  readonly shutdown?: string
}

/** What is offered for one family; it holds as far as the peer offers the other half. */
export interface AddPath {
  readonly family: Family
  /** All paths that may be used, or so many of the best, each with its id; left out: the best one. */
  readonly send?: number | 'all'
  /** The peer may tell several paths. */
  readonly receive?: true
}

export interface BfdTerms extends BfdSettings {
  /** No session before BFD is up; left out: a peer without BFD is as good as any other. */
  readonly strict?: true
}

export interface LocalAs {
  readonly asn: number
  /** Our real AS is left out of paths towards the peer. */
  readonly replace: boolean
  /** It is not put into paths that the peer tells; left out: it is (RFC 7705 §3.1). */
  readonly noPrepend?: boolean
}

export interface MaxPrefixes {
  /** Paths of each family, counted as received; one more ends the session with 6/1. */
  readonly limit: number
  /** Percent of the limit from which on it is logged. */
  readonly warnAt: number
  /** Until the session may come again; undefined: not before the peer is configured anew. */
  readonly restartAfter: Millis | undefined
}

/** Peers out of a network that dial us without being named one by one. */
export interface DynamicPeers {
  readonly range: AnyPrefix
  /** How each of them is treated; its address and name come with it. */
  readonly peer: Omit<PeerConfig, 'address' | 'name' | 'passive' | 'dialAfter' | 'port'>
  /** More at a time are refused. */
  readonly limit: number
}

/** A route of our own. The next hop is this end's address of each session; LOCAL_PREF is 100 towards internal peers. */
export interface Origination {
  readonly prefix: AnyPrefix
  readonly med?: number
  readonly communities?: readonly number[]
  readonly largeCommunities?: readonly LargeCommunity[]
}

export type ImportVerdict = { readonly is: 'accepted' } | { readonly is: 'refused'; readonly why: string }
export const ACCEPTED: ImportVerdict = { is: 'accepted' }

/** Whether an IPv4 route from this peer may be used. Refused routes are kept with the reason; must be pure. */
export type ImportFilter = (prefix: Prefix, peer: PeerConfig) => ImportVerdict

/** Lets everything in, and is not even asked. */
export const acceptAll: ImportFilter = () => ACCEPTED
