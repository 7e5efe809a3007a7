/** The resources that rules look at: documents by key, read when a rule asks for them. */

import type { Kind, KindFacts } from '../resources/kind.ts'
import { keyPrefixOf } from '../resources/kind.ts'

/** What is in the datastore, by key. */
export type Documents = ReadonlyMap<string, unknown>

export interface Held<T> {
  readonly key: string
  readonly value: T
}

/** All resources of a kind that can be read; junk counts as absent, as it does for agents. */
export function heldOf<T>(kind: Kind<T>, documents: Documents): readonly Held<T>[] {
  const prefix = keyPrefixOf(kind.plural)
  return [...documents].flatMap(([key, document]) => {
    if (!key.startsWith(prefix)) return []
    const parsed = kind.parseStored(document)
    return parsed.ok ? [{ key, value: parsed.value }] : []
  })
}

/** The kind whose documents lie under a key. */
export function kindOfKey<K extends Pick<KindFacts, 'plural'>>(key: string, kinds: readonly K[]): K | undefined {
  return kinds.find(({ plural }) => key.startsWith(keyPrefixOf(plural)))
}
