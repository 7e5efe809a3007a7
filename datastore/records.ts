/** Documents of one kind, read from and written to any datastore. */

import { Fault } from '@network/base/run/fault.ts'
import { carryOver } from '@network/model/resources/carry.ts'
import { type Kind, keyPrefixOf, type Parsed, type Problem } from '@network/model/resources/kind.ts'
import type { Created, Datastore, Entry, Options, Revision, Updated } from './port.ts'

/** A value as it lies in the store. */
export interface Stored<T> {
  readonly key: string
  readonly value: T
  /** As it lies there, with what `value` does not hold: labels, annotations, fields of a newer version. */
  readonly document: unknown
  readonly revision: Revision
}

/** A document that its kind cannot read. */
export interface Junk {
  readonly key: string
  readonly revision: Revision
  readonly problems: readonly Problem[]
}

export interface Records<T> {
  /** Ordered by key. */
  readonly read: readonly Stored<T>[]
  readonly junk: readonly Junk[]
}

/** All documents of a kind that are wanted; what cannot be read comes separately, with the reasons. */
export async function listOf<T>(
  store: Datastore,
  kind: Kind<T>,
  options: Options,
  isWanted: (document: unknown) => boolean = () => true,
): Promise<Records<T>> {
  const { entries } = await store.list(keyPrefixOf(kind.plural), options)
  const read: Stored<T>[] = []
  const junk: Junk[] = []
  for (const { key, document, revision } of entries) {
    if (!isWanted(document)) continue
    const parsed = inItsPlace(kind, key, kind.parseStored(document))
    if (parsed.ok) read.push({ key, value: parsed.value, document, revision })
    else junk.push({ key, revision, problems: parsed.problems })
  }
  return { read, junk }
}

/** One document; undefined when it is not there. Rejects with `datastore.unreadable` when its kind cannot read it. */
export async function getOf<T>(store: Datastore, kind: Kind<T>, key: string, options: Options): Promise<Stored<T> | undefined> {
  const entry = await store.get(key, options)
  return entry === undefined ? undefined : understood(store, kind, entry)
}

export function createOf<T>(store: Datastore, kind: Kind<T>, value: T, options: Options): Promise<Created> {
  return store.create(kind.keyOf(value), kind.print(value), options)
}

/** Writes a value over what is there; what `value` does not hold of the `document` read before is kept. */
export function updateOf<T>(
  store: Datastore,
  kind: Kind<T>,
  { value, revision, document }: Pick<Stored<T>, 'value' | 'revision' | 'document'>,
  options: Options,
): Promise<Updated> {
  return store.update(kind.keyOf(value), carryOver(kind, document, kind.print(value)), revision, options)
}

function understood<T>(store: Datastore, kind: Kind<T>, entry: Entry): Stored<T> {
  const parsed = inItsPlace(kind, entry.key, kind.parseStored(entry.document))
  if (parsed.ok) return { key: entry.key, value: parsed.value, document: entry.document, revision: entry.revision }
  throw new Fault('datastore.unreadable', {
    doing: `read ${kind.kind}`,
    on: `${entry.key} in ${store.url}`,
    says: parsed.problems.map(({ at, says }) => `${at} ${says}`).join('; '),
    mend: 'put a right document there or delete it',
  })
}

/** What a document says, refused where it lies under another's key: it would be written back to the wrong place. */
export function inItsPlace<T>(kind: Kind<T>, key: string, parsed: Parsed<T>): Parsed<T> {
  if (!parsed.ok || kind.keyOf(parsed.value) === key) return parsed
  return {
    ok: false,
    problems: [{ at: 'metadata.name', says: `lies under ${key} but names itself ${kind.keyOf(parsed.value)}` }],
  }
}
