/** A store that has its history forgotten as it writes, so that tests of forgetting need no patience. */

import type {
  Created,
  Datastore,
  Deleted,
  Entry,
  Listing,
  Options,
  Revision,
  Updated,
  WatchEvent,
} from '@network/datastore/port.ts'

export class Forgetful implements Datastore {
  readonly url: string
  readonly #store: Datastore
  readonly #keep: number
  readonly #compact: (revision: Revision) => Promise<unknown>

  /** Has all forgotten but the last `keep` changes, at every change whose number `keep` divides. */
  constructor(store: Datastore, keep: number, compact: (revision: Revision) => Promise<unknown>) {
    this.url = store.url
    this.#store = store
    this.#keep = keep
    this.#compact = compact
  }

  get(key: string, options: Options): Promise<Entry | undefined> {
    return this.#store.get(key, options)
  }

  list(prefix: string, options: Options): Promise<Listing> {
    return this.#store.list(prefix, options)
  }

  async create(key: string, document: unknown, options: Options): Promise<Created> {
    return this.#forgetting(await this.#store.create(key, document, options))
  }

  async update(key: string, document: unknown, revision: Revision, options: Options): Promise<Updated> {
    return this.#forgetting(await this.#store.update(key, document, revision, options))
  }

  delete(key: string, revision: Revision, options: Options): Promise<Deleted> {
    return this.#store.delete(key, revision, options)
  }

  watch(prefix: string, options: Options & { readonly from: Revision }): AsyncIterable<WatchEvent> {
    return this.#store.watch(prefix, options)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#store[Symbol.asyncDispose]()
  }

  async #forgetting<T extends Created | Updated>(outcome: T): Promise<T> {
    if (outcome.is === 'written' && Number(outcome.revision) % this.#keep === 0)
      await this.#compact(String(Number(outcome.revision) - this.#keep)).catch(() => undefined)
    return outcome
  }
}
