/** What a run of the generator is told, and what it tells: plain data, for it is a process of its own. */
import type { Usage } from './usage.ts'

/** One client announces all, or each its own few. */
export type Job =
  | { readonly is: 'table'; readonly prefixes: number; readonly perUpdate: number | 'full'; readonly receivers: number }
  /** As `table`, but blocks of a cluster, all in one dress, to many. */
  | { readonly is: 'fanout'; readonly prefixes: number; readonly receivers: number }
  | { readonly is: 'mesh'; readonly clients: number }
  | { readonly is: 'flap'; readonly clients: number; readonly rounds: number; readonly atMostMs: number }
  | { readonly is: 'storm'; readonly clients: number; readonly pace: number | 'all-at-once' }
  | { readonly is: 'idle'; readonly clients: number; readonly ms: number }

export interface Order {
  readonly job: Job
  readonly speaker: { readonly address: string; readonly port: number; readonly pid: number }
  readonly asn: number
  readonly clusterId: string
  /** The address of the first client; the others follow. */
  readonly firstClient: string
  /** Milliseconds after which a job has failed. */
  readonly atMostMs: number
  /** Milliseconds for which the speaker is left alone before what counts begins. */
  readonly restMs: number
}

export interface Outcome {
  readonly is: 'complete' | 'late' | 'no-sessions' | 'wrong'
  /** Why it is not complete. */
  readonly says?: string
  /** Milliseconds from just before the first octet to the last receiver's last route. */
  readonly wall: number
  /** Milliseconds that all sessions together took to come up. */
  readonly connect: number
  /** Milliseconds of processor time in that time. */
  readonly speakerCpu: number
  readonly generatorCpu: number
  /** What others on the machine used meanwhile. */
  readonly foreignCpu: number
  readonly atStart: Usage
  readonly withSessions: Usage
  readonly atEnd: Usage
  readonly sessions: number
  readonly routes: number
  readonly received: {
    readonly bytes: number
    readonly updates: number
    readonly announced: number
    readonly withdrawn: number
    readonly duplicates: number
    readonly stale: number
    readonly echoes: number
    readonly strange: number
    readonly inspected: number
  }
  readonly lost: number
  readonly failed: number
  /** Milliseconds of each half round of a flap. */
  readonly withdrawals?: readonly number[]
  readonly announcements?: readonly number[]
}
