/** What every neighbour of a speaker goes by. */
import type { Ipv4 } from '@network/base/net/ipv4.ts'
import type { Log } from '@network/base/run/log.ts'
import type { Seconds } from '@network/base/time/units.ts'
import type { BfdMonitor } from '../bfd/monitor.ts'
import type { ImportFilter, LongLived } from '../options.ts'
import type { WithoutPolicy } from '../policy/default.ts'
import type { Rib } from '../rib/rib.ts'
import type { Allowance } from './allowance.ts'

export interface Rules {
  readonly rib: Rib
  readonly log: Log
  /** Of complaints about all peers. */
  readonly allowance: Allowance
  readonly localAsn: number
  /** Undefined: there is none on this network. */
  readonly bfd: BfdMonitor | undefined
  readonly clusterId: Ipv4
  /** Clients hear each other without us. */
  readonly clientToClient?: 'off'
  readonly withoutPolicy: WithoutPolicy
  /** Undefined: every prefix is let in. */
  readonly importFilter: ImportFilter | undefined
  /** How long we wait for the End-of-RIB of a peer that came back. */
  readonly stalePathTime: Seconds
  /** Undefined: we take no part in RFC 9494. */
  readonly longLived?: LongLived
  /** All sessions are about to end. RFC 8326. */
  readonly isDraining: boolean
  /** Something in the RIB changed: choose, tell the peers, tell the user. */
  converge(): void
}
