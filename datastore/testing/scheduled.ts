/** A store of which every call waits for its turn, and which crashes its user where a test says. */

import type { Created, Datastore, Deleted, Entry, Listing, Options, Revision, Updated, WatchEvent } from '../port.ts'

/** Thrown instead of an answer: the process that asked is no more. */
export class Crash extends Error {
  override readonly name = 'Crash'
}

export interface Schedule {
  /** Resolves when it is this call's turn. */
  turn(label: string): Promise<void>
  /** Looks at the world after a call. */
  look(label: string): void
  /** What happens to the next call of this user. */
  fate(): 'lives' | 'crashes-before' | 'crashes-after'
}

export class ScheduledStore implements Datastore {
  readonly url: string
  readonly #store: Datastore
  readonly #user: string
  readonly #schedule: Schedule

  constructor(store: Datastore, user: string, schedule: Schedule) {
    this.url = store.url
    this.#store = store
    this.#user = user
    this.#schedule = schedule
  }

  get(key: string, options: Options): Promise<Entry | undefined> {
    return this.#call(`get ${key}`, () => this.#store.get(key, options))
  }

  list(prefix: string, options: Options): Promise<Listing> {
    return this.#call(`list ${prefix}`, () => this.#store.list(prefix, options))
  }

  create(key: string, document: unknown, options: Options): Promise<Created> {
    return this.#call(`create ${key}`, () => this.#store.create(key, document, options))
  }

  update(key: string, document: unknown, revision: Revision, options: Options): Promise<Updated> {
    return this.#call(`update ${key}`, () => this.#store.update(key, document, revision, options))
  }

  delete(key: string, revision: Revision, options: Options): Promise<Deleted> {
    return this.#call(`delete ${key}`, () => this.#store.delete(key, revision, options))
  }

  watch(prefix: string, options: Options & { readonly from: Revision }): AsyncIterable<WatchEvent> {
    return this.#store.watch(prefix, options)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#store[Symbol.asyncDispose]()
  }

  async #call<T>(what: string, call: () => Promise<T>): Promise<T> {
    const label = `${this.#user}: ${what}`
    await this.#schedule.turn(label)
    const fate = this.#schedule.fate()
    if (fate === 'crashes-before') throw new Crash(label)
    const answer = await call()
    this.#schedule.look(`${label} ${JSON.stringify(answer)}`)
    if (fate === 'crashes-after') throw new Crash(label)
    return answer
  }
}
