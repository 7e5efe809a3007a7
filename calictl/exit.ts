/** How a command ends: the exit codes that scripts rely on, and the failures behind them. */

import { Fault, type FaultDetail } from '@network/base/run/fault.ts'

export const EXIT = {
  ok: 0,
  /** A check that was asked for found something wrong. */
  unhealthy: 1,
  usage: 2,
  notFound: 3,
  /** A precondition or another writer stood in the way. */
  refused: 4,
  /** Datastore or agent cannot be reached, or not by this user. */
  unreachable: 5,
  timeout: 6,
  /** What was printed lacks the answer of some node. */
  partial: 7,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** Endings that are failures with a sentence of their own. */
export type Failure = 'usage' | 'notFound' | 'refused' | 'unreachable' | 'timeout'

/** A failure that ends the command with its exit code. */
export function failure(how: Failure, detail: FaultDetail): Fault {
  return new Fault(`calictl.${how}`, detail)
}

const EXIT_OF_FAULT: ReadonlyMap<string, ExitCode> = new Map([
  ['calictl.usage', EXIT.usage],
  ['calictl.notFound', EXIT.notFound],
  ['calictl.refused', EXIT.refused],
  ['calictl.unreachable', EXIT.unreachable],
  ['calictl.timeout', EXIT.timeout],
  ['datastore.url', EXIT.usage],
  ['datastore.credentials', EXIT.usage],
  ['migrate.unreadable', EXIT.usage],
  ['migrate.occupied', EXIT.refused],
  ['migrate.moving', EXIT.refused],
  ['migrate.disturbed', EXIT.refused],
  ['datastore.contended', EXIT.refused],
  ['datastore.unreadable', EXIT.refused],
])

/** The exit code of a fault; undefined for faults that no command expects, which are bugs. */
export function exitOf(fault: Fault): ExitCode | undefined {
  return EXIT_OF_FAULT.get(fault.code) ?? (fault.code.startsWith('datastore.') ? EXIT.unreachable : undefined)
}
