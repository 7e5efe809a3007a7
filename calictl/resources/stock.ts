/** Resources as they lie in the store, read once and looked at by commands and plans. */

import type { Datastore, Entry } from '@network/datastore/port.ts'
import { inItsPlace } from '@network/datastore/records.ts'
import { type Document, type Kind, keyPrefixOf } from '@network/model/resources/kind.ts'
import type { Context } from '../context.ts'
import { reportJunk } from '../read.ts'

/** One resource. */
export interface Row {
  readonly kind: Kind<unknown>
  readonly key: string
  /** As people see it: defaults written out, with its resourceVersion. */
  readonly document: Document
}

/** Everything of these kinds, by key. */
export async function readEntries(
  store: Datastore,
  kinds: Iterable<Kind<unknown>>,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Entry>> {
  const listings = await Promise.all([...kinds].map(kind => store.list(keyPrefixOf(kind.plural), { signal })))
  return new Map(listings.flatMap(({ entries }) => entries.map(entry => [entry.key, entry] as const)))
}

/** All resources of a kind, in the order of people; those that cannot be read are named on stderr. */
export async function readRows(context: Context, kind: Kind<unknown>): Promise<readonly Row[]> {
  const store = await context.store()
  const { entries } = await store.list(keyPrefixOf(kind.plural), { signal: context.signal })
  return entries.flatMap(entry => rowOf(context, kind, entry) ?? []).toSorted(byPlace)
}

/** An entry as a row; undefined, and named on stderr, where its kind cannot read it. */
export function rowOf(context: Context, kind: Kind<unknown>, { key, document, revision }: Entry): Row | undefined {
  const parsed = inItsPlace(kind, key, kind.parseStored(document))
  if (parsed.ok) return { kind, key, document: shown(parsed.document, revision) }
  reportJunk(context, [{ key, revision, problems: parsed.problems }])
  return undefined
}

/** What rows are to those who reckon with them. */
export function valuesOf<T>(kind: Kind<T>, rows: readonly Row[]): readonly T[] {
  return rows.flatMap(({ document }) => {
    const parsed = kind.parseStored(document)
    return parsed.ok ? [parsed.value] : []
  })
}

/** A stored document with what the store knows of it. */
export function shown(document: Document, revision: string): Document {
  return { ...document, metadata: { ...document.metadata, resourceVersion: revision } }
}

const ORDER = new Intl.Collator('en', { numeric: true })

/** By namespace, then by name: `node-2` before `node-10`. */
export function byPlace({ document: a }: Pick<Row, 'document'>, { document: b }: Pick<Row, 'document'>): number {
  return ORDER.compare(a.metadata.namespace ?? '', b.metadata.namespace ?? '') || ORDER.compare(a.metadata.name, b.metadata.name)
}

/** `pool default` or `shop/allow-web`. */
export function titleOf({ kind, document }: Pick<Row, 'kind' | 'document'>): string {
  return `${kind.kind.toLowerCase()}/${document.metadata.namespace === undefined ? '' : `${document.metadata.namespace}/`}${document.metadata.name}`
}
