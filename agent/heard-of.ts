/** Which revisions of what people write this agent acts upon: so others see that a change has arrived here. */

import { keyPrefixOf } from '@network/model/resources/kind.ts'
import { KINDS } from '@network/model/resources/kinds.ts'
import { NODE_STATUS } from '@network/model/resources/node-status.ts'
import type { Change } from '@network/model/snapshot.ts'

/** What agents alone write changes with every pod, and nobody waits for it. */
const FOLLOWED = KINDS.filter(({ kind, writtenBy }) => writtenBy !== 'agents' && kind !== NODE_STATUS.kind).map(({ plural }) =>
  keyPrefixOf(plural),
)

export class HeardOf {
  readonly #revisions = new Map<string, string>()

  apply({ key, document, revision }: Change): void {
    if (!isFollowed(key)) return
    if (document === undefined || revision === undefined) this.#revisions.delete(key)
    else this.#revisions.set(key, revision)
  }

  /** The revision of each key, null where nothing is there; keys of kinds that nobody waits for are left out. */
  of(keys: readonly string[]): Readonly<Record<string, string | null>> {
    return Object.fromEntries(keys.filter(isFollowed).map(key => [key, this.#revisions.get(key) ?? null]))
  }
}

function isFollowed(key: string): boolean {
  return FOLLOWED.some(prefix => key.startsWith(prefix))
}

/** The keys that somebody asks for, as a list in JSON; empty for anything else. */
export function keysIn(body: string): readonly string[] {
  let asked: unknown
  try {
    asked = JSON.parse(body)
  } catch {
    return []
  }
  return Array.isArray(asked) ? asked.filter(one => typeof one === 'string') : []
}
