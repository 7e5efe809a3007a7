/** Reading on where one document is broken. */

import { Fault } from '@network/base/run/fault.ts'

/** A document that nobody can read counts as absent or lost: one of them must not stop the rest. */
export async function readable<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading
  } catch (reason) {
    if (reason instanceof Fault && reason.code === 'datastore.unreadable') return undefined
    throw reason
  }
}
