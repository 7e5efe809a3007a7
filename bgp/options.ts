/** What the user of the speaker says: who we are, who the peers are, what we announce and what we let in. */
import type { AnyPrefix } from '@network/base/net/any-prefix.ts'
import type { Ipv4 } from '@network/base/net/ipv4.ts'
import type { Ipv6 } from '@network/base/net/ipv6.ts'
import type { Prefix } from '@network/base/net/prefix.ts'
import type { Log } from '@network/base/run/log.ts'
import type { Clock, Random } from '@network/base/time/clock.ts'
import type { Millis, Seconds } from '@network/base/time/units.ts'
import type { LargeCommunity } from './attributes/attributes.ts'
import type { WithoutPolicy } from './policy/default.ts'
import type { PolicyChain } from './policy/policy.ts'
import type { DecisionOptions } from './rib/decision-options.ts'
import type { Transport } from './session/transport.ts'
import type { Family } from './wire/capabilities.ts'

export interface SpeakerOptions {
  /** BGP identifier; never 0.0.0.0. */
  readonly routerId: Ipv4
  /** Own AS, 1 to 4294967295. */
  readonly asn: number
  /** Where peers reach us; undefined: only dial. Its address is also where dialled sessions start from. */
  readonly listen: { readonly address: Ipv4; readonly port: number } | undefined
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
  }
  readonly importFilter: ImportFilter
  /** RFC 4456 §7; left out: the router id. */
  readonly clusterId?: Ipv4
  /** What an external peer without policies exchanges; left out: everything. RFC 8212. */
  readonly withoutPolicy?: WithoutPolicy
  readonly decision?: DecisionOptions
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

export interface PeerConfig {
  /** Names the session: one peer per address. */
  readonly address: Ipv4
  /** For people: the node's name. */
  readonly name: string
  /** Equal to our own: internal (iBGP); otherwise external (eBGP). */
  readonly asn: number
  readonly port: number
  /** True: never dial, wait for the peer. */
  readonly passive: boolean
  /** Wait this long before dialling, so that of two speakers started together one comes first. */
  readonly dialAfter: Millis
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
  /** Private AS numbers (RFC 6996) are taken out of paths towards this external peer. */
  readonly removePrivateAs?: true
  /** The first AS in a path of an external peer need not be its own: it is a route server. */
  readonly isRouteServer?: true
  /** Paths with AS_SETs are used in spite of RFC 9774. */
  readonly acceptAsSets?: true
  readonly maxPrefixes?: MaxPrefixes
  /** Left out: whatever `withoutPolicy` says. Set: RFC 8212 is satisfied, with an empty chain too. */
  readonly importPolicy?: PolicyChain
  readonly exportPolicy?: PolicyChain
  /** IPv4 routes may go over IPv6 (RFC 8950). */
  readonly ipv4OverIpv6?: true
  /** Our IPv6 address on the link to this peer: the next hop of IPv6 routes. */
  readonly localAddress6?: Ipv6
  /** Present: no session, and the peer is told these words (RFC 9003). */
  readonly shutdown?: string
}

export interface LocalAs {
  readonly asn: number
  /** Our real AS is left out of paths towards the peer. */
  readonly replace: boolean
}

export interface MaxPrefixes {
  /** Of each family, counted as received; one more ends the session with 6/1. */
  readonly limit: number
  /** Percent of the limit from which on it is logged. */
  readonly warnAt: number
  /** Until the session may come again; undefined: not before the peer is configured anew. */
  readonly restartAfter: Millis | undefined
}

/** Peers out of a network that dial us without being named one by one. */
export interface DynamicPeers {
  readonly range: Prefix
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
