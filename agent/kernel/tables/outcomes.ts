/** The kernel's answers as outcomes of steps. */

import type { Fault } from '@network/base/run/fault.ts'
import type { NetlinkClient } from '@network/netlink/client.ts'
import type { Instruction } from '@network/netlink/wire.ts'
import type { Outcome } from '../table.ts'

/** The object is as it should be already, or is gone already: success for who declares. */
const HARMLESS: Readonly<Record<string, readonly string[]>> = {
  'add ipip link': ['EEXIST'],
  'add address': ['EEXIST'],
  'delete route': ['ESRCH'],
  'delete address': ['EADDRNOTAVAIL'],
  'delete neighbour': ['ENOENT'],
  'delete forwarding entry': ['ENOENT'],
  'delete link': ['ENODEV'],
}
/** The event of the link coming up is what wakes us. */
const WAITING = new Set(['ENETDOWN'])

export function outcomesOf(client: NetlinkClient, instructions: readonly Instruction[]): Outcome[] {
  if (instructions.length === 0) return []
  return client.performAll(instructions).map(answer => (answer.is === 'done' ? answer : outcomeOf(answer.fault)))
}

/** Of what the kernel refused. */
export function outcomeOf({ message, detail: { doing, errno = '' } }: Fault): Outcome {
  if (HARMLESS[doing]?.includes(errno) === true) return { is: 'done' }
  return { is: WAITING.has(errno) ? 'waiting' : 'failed', says: message }
}
