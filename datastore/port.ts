/** What Cali asks of any datastore: documents by key, compare-and-swap on one key, lists and watches. */

import type { Seconds } from '@network/base/time/units.ts'

/** Opaque; compare for equality only. Never used twice, not even for a key that is deleted and created again: claims of blocks rely on it. */
export type Revision = string

/** Stands for what lies under a key and is not JSON, of somebody else's hand: no kind can read it, and nobody can write it. */
export const NOT_JSON = Symbol('text that is not JSON')

export interface Entry {
  readonly key: string
  /** A JSON document, not yet parsed by its kind; or `NOT_JSON`, for one such key must not hide all others. */
  readonly document: unknown
  /** Of this key's last write. */
  readonly revision: Revision
}

export interface Listing {
  readonly entries: readonly Entry[]
  /** Of the whole store at the time of the list: where a watch continues without a gap. */
  readonly revision: Revision
}

/** One thing that happened to a key; `entry` is undefined when the key was deleted. */
export interface WatchEvent {
  readonly key: string
  readonly entry: Entry | undefined
  readonly revision: Revision
}

export type Created = { readonly is: 'written'; readonly revision: Revision } | { readonly is: 'exists' }
export type Updated =
  | { readonly is: 'written'; readonly revision: Revision }
  | { readonly is: 'conflict' }
  | { readonly is: 'absent' }
export type Deleted = { readonly is: 'deleted' } | { readonly is: 'conflict' } | { readonly is: 'absent' }

export interface Options {
  readonly signal: AbortSignal
}

/**
 * Every call rejects with a Fault whose code begins with `datastore.` when the store cannot answer; what other writers do is a value.
 * No transactions over several keys: not every store has them.
 */
export interface Datastore {
  /** How it is called in messages: `sqlite:/var/lib/cali/cali.db`. */
  readonly url: string
  get(key: string, options: Options): Promise<Entry | undefined>
  /** All entries whose key begins with `prefix`, ordered by the code points of their keys. */
  list(prefix: string, options: Options): Promise<Listing>
  /**
   * Where the store can: the same in parts, all of one revision, for who need not hold all of it at once. Rejects with `datastore.compacted`
   * when the store forgot that revision meanwhile: begin anew.
   */
  pages?(prefix: string, options: Options): AsyncIterable<Listing>
  create(key: string, document: unknown, options: Options): Promise<Created>
  /** Writes only if the key still has `revision`. */
  update(key: string, document: unknown, revision: Revision, options: Options): Promise<Updated>
  /** Deletes only if the key still has `revision`. */
  delete(key: string, revision: Revision, options: Options): Promise<Deleted>
  /**
   * Every change after `from`, in order, none left out; ends when the signal aborts. Rejects with `datastore.compacted` when `from` is too
   * old: list again.
   */
  watch(prefix: string, options: Options & { readonly from: Revision }): AsyncIterable<WatchEvent>
  /**
   * Where the store can: keeps a document that is gone `ttl` after its writer's last sign of life. Nobody else may write the key. Ends when
   * the signal aborts, and never rejects for what the store does.
   */
  whileAlive?(key: string, document: () => unknown, options: Options & { readonly ttl: Seconds }): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}
