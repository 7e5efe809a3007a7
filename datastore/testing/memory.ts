/** A datastore in memory: the fake of every backend, with a way to break it and to make it forget. */

import { Fault } from '@network/base/run/fault.ts'
import { Bell } from '../bell.ts'
import {
  type Created,
  type Datastore,
  type Deleted,
  type Entry,
  type Listing,
  NOT_JSON,
  type Options,
  type Revision,
  type Updated,
  type WatchEvent,
} from '../port.ts'

interface Past {
  readonly revision: number
  readonly key: string
  readonly entry: Entry | undefined
}

export class MemoryStore implements Datastore {
  readonly url: string = 'memory:'
  readonly #keep: number
  readonly #entries = new Map<string, Entry>()
  readonly #bells = new Set<Bell>()
  #past: Past[] = []
  #revision = 0
  #broken: Fault | undefined

  /** `keep`: how many of the newest changes a watch can start from. */
  constructor({ keep = 10_000 }: { readonly keep?: number } = {}) {
    this.#keep = keep
  }

  /** What lies in it now, by key. */
  get entries(): ReadonlyMap<string, Entry> {
    return this.#entries
  }

  /** From now on every call rejects, and so do the watches that are open, until `mend`. */
  break(says: string): void {
    this.#broken = new Fault('datastore.broken', { doing: 'reach', on: this.url, says })
    this.#ring()
  }

  mend(): void {
    this.#broken = undefined
  }

  /** Forgets the past: watches that have not read it yet are too late. */
  forget(): void {
    this.#past = []
    this.#ring()
  }

  /** Somebody else puts there what is not JSON. */
  spoil(key: string): void {
    const entry = { key, document: NOT_JSON, revision: String(this.#revision + 1) }
    this.#entries.set(key, entry)
    this.#record(key, entry)
  }

  async get(key: string, options: Options): Promise<Entry | undefined> {
    this.#check(options)
    return this.#entries.get(key)
  }

  async list(prefix: string, options: Options): Promise<Listing> {
    this.#check(options)
    const entries = [...this.#entries.values()].filter(({ key }) => key.startsWith(prefix))
    return { entries: entries.sort(byCodePoints), revision: String(this.#revision) }
  }

  /** Of two entries each; in between, the store may have been broken or have forgotten. */
  async *pages(prefix: string, options: Options): AsyncGenerator<Listing, void> {
    const { entries, revision } = await this.list(prefix, options)
    for (let at = 0; at === 0 || at < entries.length; at += 2) {
      this.#check(options)
      this.#after(Number(revision))
      yield { entries: entries.slice(at, at + 2), revision }
    }
  }

  async create(key: string, document: unknown, options: Options): Promise<Created> {
    this.#check(options)
    return this.#entries.has(key) ? { is: 'exists' } : this.#put(key, document)
  }

  async update(key: string, document: unknown, revision: Revision, options: Options): Promise<Updated> {
    this.#check(options)
    const present = this.#entries.get(key)
    if (present === undefined) return { is: 'absent' }
    return present.revision === revision ? this.#put(key, document) : { is: 'conflict' }
  }

  async delete(key: string, revision: Revision, options: Options): Promise<Deleted> {
    this.#check(options)
    const present = this.#entries.get(key)
    if (present === undefined) return { is: 'absent' }
    if (present.revision !== revision) return { is: 'conflict' }
    this.#entries.delete(key)
    this.#record(key, undefined)
    return { is: 'deleted' }
  }

  async *watch(prefix: string, { from, signal }: Options & { readonly from: Revision }): AsyncGenerator<WatchEvent, void> {
    const bell = new Bell()
    this.#bells.add(bell)
    try {
      for (let last = /^\d+$/.test(from) ? Number(from) : Number.NaN; !signal.aborted; await bell.rung(signal)) {
        for (const { revision, key, entry } of this.#after(last)) {
          if (signal.aborted) return
          last = revision
          if (key.startsWith(prefix)) yield { key, entry, revision: String(revision) }
        }
      }
    } finally {
      this.#bells.delete(bell)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#broken = new Fault('datastore.closed', { doing: 'reach', on: this.url, says: 'it was closed' })
    this.#ring()
  }

  #after(last: number): readonly Past[] {
    if (this.#broken !== undefined) throw this.#broken
    const oldest = this.#revision - this.#past.length
    if (last >= oldest && last <= this.#revision) return this.#past.filter(({ revision }) => revision > last)
    throw new Fault('datastore.compacted', {
      doing: 'watch',
      on: this.url,
      says: `revision ${last} is not among ${oldest} to ${this.#revision}`,
    })
  }

  #put(key: string, document: unknown): { readonly is: 'written'; readonly revision: Revision } {
    const revision = String(this.#revision + 1)
    const entry = { key, document: structuredClone(document), revision }
    this.#entries.set(key, entry)
    this.#record(key, entry)
    return { is: 'written', revision }
  }

  #record(key: string, entry: Entry | undefined): void {
    this.#revision += 1
    this.#past.push({ revision: this.#revision, key, entry })
    if (this.#past.length > this.#keep) this.#past.shift()
    this.#ring()
  }

  #check({ signal }: Options): void {
    signal.throwIfAborted()
    if (this.#broken !== undefined) throw this.#broken
  }

  #ring(): void {
    for (const bell of this.#bells) bell.ring()
  }
}

/** As the octets of UTF-8 are ordered; UTF-16 would put some letters elsewhere. */
function byCodePoints(a: Entry, b: Entry): number {
  return Buffer.compare(Buffer.from(a.key), Buffer.from(b.key))
}
