/** What the parts of the contract share: how a promise is declared, and how watches are read. */

import assert from 'node:assert/strict'
import type { Datastore, Options, Revision, WatchEvent } from '../../port.ts'

export interface Opened {
  readonly store: Datastore
  /** The same data, opened a second time where the backend can. */
  readonly another: Datastore
  close(): Promise<void>
}

/** Declares one promise as a test on a fresh, empty store. */
export type Promised = (says: string, check: (opened: Opened) => Promise<void>) => void

/** The changes that every store under test remembers, at the least; of 10 times as many it must have forgotten some. */
export const KEEP = 100
export const options: Options = { signal: new AbortController().signal }

/** The first `count` events after a revision; rejects with the signal's reason when that comes first. */
export async function collect(
  store: Datastore,
  prefix: string,
  from: Revision,
  count: number,
  { signal }: Options = options,
): Promise<readonly WatchEvent[]> {
  const seen: WatchEvent[] = []
  for await (const event of store.watch(prefix, { from, signal })) {
    seen.push(event)
    if (seen.length === count) return seen
  }
  signal.throwIfAborted()
  return seen
}

/** All events until the signal aborts. */
export async function drain(
  store: Datastore,
  prefix: string,
  from: Revision,
  signal: AbortSignal,
): Promise<readonly WatchEvent[]> {
  const seen: WatchEvent[] = []
  for await (const event of store.watch(prefix, { from, signal })) seen.push(event)
  return seen
}

/** `/w/a 1`, or `/w/a gone`. */
export function summary({ key, entry }: WatchEvent): string {
  return `${key} ${entry === undefined ? 'gone' : String(entry.document)}`
}

export function revisionOf(result: { readonly is: string; readonly revision?: Revision }): Revision {
  assert.ok(result.revision !== undefined, `not written: ${result.is}`)
  return result.revision
}

/** 0, 1, … `count` − 1 */
export function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n)
}
