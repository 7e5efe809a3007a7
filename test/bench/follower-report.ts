/** What a follower of the datastore tells of itself, and the clock that it shares with the writer. */

export interface FollowerReport {
  /** Milliseconds from a write's beginning to its arrival, one a change. */
  readonly late: readonly number[]
  /** How many came before one of an older revision. */
  readonly disorder: number
}

/** Milliseconds, the same in all processes of one machine. */
export function wall(): number {
  return performance.timeOrigin + performance.now()
}
