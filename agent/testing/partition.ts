/** A store as one node sees it: it may be cut off, answers may be lost, and its watch may fail by itself. */

import { Fault } from '@network/base/run/fault.ts'
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

export interface Way {
  /** Calls are not answered. */
  readonly cut: boolean
  /** Watches fail. */
  readonly deaf: boolean
  /** So many further writes are done though their answers are lost. */
  lost: number
  /** Resolves when it is this call's turn; throws where whoever asked is no more. */
  turn(label: string): Promise<void>
}

export class Partition implements Datastore {
  readonly url: string
  readonly #store: Datastore
  readonly #way: Way
  readonly #ears = new Set<AbortController>()

  constructor(store: Datastore, way: Way) {
    this.url = store.url
    this.#store = store
    this.#way = way
  }

  /** Call when the way has changed: watches hear of it. */
  changed(): void {
    if (this.#way.deaf) for (const ear of this.#ears) ear.abort()
  }

  get(key: string, options: Options): Promise<Entry | undefined> {
    return this.#call(`get ${key}`, false, () => this.#store.get(key, options))
  }

  list(prefix: string, options: Options): Promise<Listing> {
    return this.#call(`list ${prefix}`, false, () => this.#store.list(prefix, options))
  }

  create(key: string, document: unknown, options: Options): Promise<Created> {
    return this.#call(`create ${key}`, true, () => this.#store.create(key, document, options))
  }

  update(key: string, document: unknown, revision: Revision, options: Options): Promise<Updated> {
    return this.#call(`update ${key}`, true, () => this.#store.update(key, document, revision, options))
  }

  delete(key: string, revision: Revision, options: Options): Promise<Deleted> {
    return this.#call(`delete ${key}`, true, () => this.#store.delete(key, revision, options))
  }

  async *watch(prefix: string, { from, signal }: Options & { readonly from: Revision }): AsyncGenerator<WatchEvent, void> {
    if (this.#way.deaf) throw this.#unreachable('watch')
    const ear = new AbortController()
    this.#ears.add(ear)
    try {
      yield* this.#store.watch(prefix, { from, signal: AbortSignal.any([signal, ear.signal]) })
    } finally {
      this.#ears.delete(ear)
    }
    if (!signal.aborted) throw this.#unreachable('watch')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The store belongs to the test.
  }

  async #call<T>(label: string, isWrite: boolean, call: () => Promise<T>): Promise<T> {
    await this.#way.turn(label)
    if (!this.#way.cut) return call()
    if (isWrite && this.#way.lost > 0) {
      this.#way.lost--
      await call()
    }
    throw this.#unreachable(label)
  }

  #unreachable(doing: string): Fault {
    return new Fault('datastore.unreachable', { doing, on: this.url, says: 'no answer came' })
  }
}
