/** What the user of the speaker says: who we are, who the peers are, what we announce and what we let in. */
import type { Ipv4 } from '@network/base/net/ipv4.ts'
import type { Prefix } from '@network/base/net/prefix.ts'
import type { Log } from '@network/base/run/log.ts'
import type { Clock, Random } from '@network/base/time/clock.ts'
import type { Millis, Seconds } from '@network/base/time/units.ts'
import type { Transport } from './session/transport.ts'

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
}

/** A route of our own. The next hop is this end's address of each session; LOCAL_PREF is 100 towards internal peers. */
export interface Origination {
  readonly prefix: Prefix
  readonly med?: number
  readonly communities?: readonly number[]
}

export type ImportVerdict = { readonly is: 'accepted' } | { readonly is: 'refused'; readonly why: string }
export const ACCEPTED: ImportVerdict = { is: 'accepted' }

/** Whether a route from this peer may be used. Refused routes are kept with the reason; must be pure. */
export type ImportFilter = (prefix: Prefix, peer: PeerConfig) => ImportVerdict
