/** The etcd store: the port's promises, kept through disconnects, changes of leader, compaction and expired tokens. */

import { Fault } from '@network/base/run/fault.ts'
import type { Log } from '@network/base/run/log.ts'
import { backoff } from '@network/base/time/backoff.ts'
import { type Clock, type Random, sleep } from '@network/base/time/clock.ts'
import { between, type Instant, millis, type Seconds } from '@network/base/time/units.ts'
import type { IKeyValue, IRangeRequest, IRangeResponse, ITxnRequest, IWatchResponse } from 'etcd3'
import type { Created, Datastore, Deleted, Entry, Listing, Options, Revision, Updated, WatchEvent } from '../port.ts'
import { readJson } from '../read-json.ts'
import { Connection, type ConnectionOptions, type Session } from './connection.ts'
import { keepAlive } from './lease.ts'
import { justAfter, type Range, rangeOf } from './range.ts'
import { following, isNewer, revisionNumber } from './revision.ts'
import { WatchStream } from './stream.ts'
import { meaningOf, troubleOf } from './trouble.ts'

export interface EtcdOptions extends ConnectionOptions {
  /** Before every key: `/cali`. */
  readonly prefix: string
  readonly log: Log
  readonly clock: Clock
  readonly random: Random
}

/** Entries of one answer to a list; halved where they are too large together. */
const PAGE = 1000
/** A list that is compacted away while it is read begins anew. */
const LIST_ATTEMPTS = 5
/** A watch that is back so soon was not away. */
const DEBOUNCE = millis(5_000)
const RETRY = { base: millis(50), cap: millis(1_000) }

export class EtcdStore implements Datastore {
  readonly url: string
  readonly #prefix: string
  readonly #options: EtcdOptions
  readonly #connection: Connection

  constructor(options: EtcdOptions) {
    this.url = options.name
    this.#prefix = options.prefix
    this.#options = options
    this.#connection = new Connection(options)
  }

  async get(key: string, { signal }: Options): Promise<Entry | undefined> {
    const { kvs } = await this.#range({ key: this.#octets(key) }, `read ${key} in`, signal)
    return kvs[0] === undefined ? undefined : this.#entry(kvs[0])
  }

  async list(prefix: string, { signal }: Options): Promise<Listing> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#listAtOneRevision(prefix, signal)
      } catch (reason) {
        if (!(reason instanceof Fault && reason.code === 'datastore.compacted') || attempt === LIST_ATTEMPTS) throw reason
      }
    }
  }

  async *pages(prefix: string, { signal }: Options): AsyncGenerator<Listing, void> {
    const { key: first, range_end } = rangeOf(this.#prefix + prefix)
    let revision: Revision | undefined
    let limit = PAGE
    for (let key: Buffer | undefined = first; key !== undefined; ) {
      const request = { key, range_end, limit, ...(revision === undefined ? {} : { revision }) }
      const page = await this.#page(request, prefix, signal)
      const { header, kvs, more } = page.answer
      limit = page.limit
      revision ??= header.revision
      const last = kvs.at(-1)
      key = more && last !== undefined ? justAfter(last.key) : undefined
      yield { entries: kvs.map(kv => this.#entry(kv)), revision }
    }
  }

  async create(key: string, document: unknown, { signal }: Options): Promise<Created> {
    const octets = this.#octets(key)
    const { succeeded, header } = await this.#write(`create ${key} in`, signal, {
      compare: [{ key: octets, target: 'Create', result: 'Equal', create_revision: 0 }],
      success: [{ request_put: { key: octets, value: Buffer.from(JSON.stringify(document)) } }],
    })
    return succeeded ? { is: 'written', revision: header.revision } : { is: 'exists' }
  }

  async update(key: string, document: unknown, revision: Revision, { signal }: Options): Promise<Updated> {
    const octets = this.#octets(key)
    const written = await this.#ifStill(`update ${key} in`, octets, revision, signal, {
      request_put: { key: octets, value: Buffer.from(JSON.stringify(document)) },
    })
    return written.is === 'done' ? { is: 'written', revision: written.revision } : written
  }

  async delete(key: string, revision: Revision, { signal }: Options): Promise<Deleted> {
    const octets = this.#octets(key)
    const deleted = await this.#ifStill(`delete ${key} in`, octets, revision, signal, { request_delete_range: { key: octets } })
    return deleted.is === 'done' ? { is: 'deleted' } : deleted
  }

  async *watch(prefix: string, { from, signal }: Options & { readonly from: Revision }): AsyncGenerator<WatchEvent, void> {
    const { clock, random } = this.#options
    const ending = AbortSignal.any([signal, this.#connection.closed])
    const range = rangeOf(this.#prefix + prefix)
    let awaySince: Instant | undefined
    for (let last = from, failures = 0; ; ) {
      if (signal.aborted) return
      try {
        for await (const answer of this.#follow(range, last, ending)) {
          awaySince = undefined
          failures = 0
          for (const { type, kv } of answer.events) {
            if (ending.aborted) break
            last = kv.mod_revision
            yield this.#event(type === 'Delete', kv)
          }
        }
      } catch (reason) {
        if (signal.aborted) return
        this.#connection.closed.throwIfAborted()
        awaySince ??= clock.now()
        this.#mustBePassing(reason, prefix, between(awaySince, clock.now()) > DEBOUNCE)
      }
      if (signal.aborted) return
      await sleep(clock, backoff(failures++, RETRY, random), ending).catch(() => undefined)
      if (!signal.aborted) this.#connection.closed.throwIfAborted()
    }
  }

  whileAlive(key: string, document: () => unknown, { ttl, signal }: Options & { readonly ttl: Seconds }): Promise<void> {
    const { clock, log } = this.#options
    return keepAlive(this.#connection, { key: this.#octets(key), document, ttl, signal, clock, log })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection[Symbol.asyncDispose]()
  }

  /** Answers of one stream, until it fails, its member is given up, or the signal aborts. */
  async *#follow(range: Range, last: Revision, ending: AbortSignal): AsyncGenerator<IWatchResponse, void> {
    await this.#mustHaveBeen(last, ending)
    const session = this.#connection.session()
    const until = AbortSignal.any([ending, session.signal])
    try {
      using stream = await WatchStream.open(this.#connection, session, range, following(last), until)
      while (!until.aborted)
        for (const answer of await stream.next(until)) {
          if (answer.canceled) throw canceled(answer)
          yield answer
        }
    } catch (reason) {
      // Who is told to end while it opens has nothing against the member.
      ending.throwIfAborted()
      this.#leave(session, reason)
      throw reason
    }
    ending.throwIfAborted()
  }

  #leave(session: Session, reason: unknown): void {
    const meaning = meaningOf(reason)
    if (meaning === 'away' || meaning === 'not-sent' || meaning === 'token') this.#connection.giveUp(session)
  }

  /** etcd would wait for a revision that is yet to come: one of another life of the store, or of another store. */
  async #mustHaveBeen(revision: Revision, signal: AbortSignal): Promise<void> {
    const { header } = await this.#range({ key: this.#octets('\0'), keys_only: true }, 'watch', signal)
    const known = revisionNumber(revision)
    if (known !== undefined && !isNewer(revision, header.revision)) return
    throw new Fault('datastore.compacted', {
      doing: 'watch',
      on: this.url,
      says: `revision ${JSON.stringify(revision)} never was: the last one is ${header.revision}`,
      mend: 'list again',
    })
  }

  /** Throws what no waiting mends, and anything once it has lasted. */
  #mustBePassing(reason: unknown, prefix: string, lasted: boolean): void {
    const fault = troubleOf(reason, { doing: `watch ${prefix} in`, on: this.url })
    if (lasted || fault.code !== 'datastore.unreachable') throw fault
  }

  async #listAtOneRevision(prefix: string, signal: AbortSignal): Promise<Listing> {
    const entries: Entry[] = []
    let revision = ''
    for await (const page of this.pages(prefix, { signal })) {
      entries.push(...page.entries)
      revision = page.revision
    }
    return { entries, revision }
  }

  /** Of fewer entries than wanted where those would be too large together, and of how many. */
  async #page(
    request: IRangeRequest & { readonly limit: number },
    prefix: string,
    signal: AbortSignal,
  ): Promise<{ readonly answer: IRangeResponse; readonly limit: number }> {
    for (let limit = request.limit; ; limit = Math.ceil(limit / 4)) {
      try {
        return { answer: await this.#range({ ...request, limit }, `list ${prefix} in`, signal), limit }
      } catch (reason) {
        if (!(reason instanceof Fault && reason.code === 'datastore.too-much') || limit === 1) throw reason
      }
    }
  }

  /** Does it if the key still has the revision; a text that is no revision of etcd's equals none. */
  async #ifStill(
    doing: string,
    key: Buffer,
    revision: Revision,
    signal: AbortSignal,
    then: NonNullable<ITxnRequest['success']>[number],
  ): Promise<{ readonly is: 'done'; readonly revision: Revision } | { readonly is: 'conflict' } | { readonly is: 'absent' }> {
    const known = revisionNumber(revision)
    if (known === undefined) {
      const { kvs } = await this.#range({ key, keys_only: true }, doing, signal)
      return { is: kvs.length === 0 ? 'absent' : 'conflict' }
    }
    const { succeeded, header, responses } = await this.#write(doing, signal, {
      compare: [{ key, target: 'Mod', result: 'Equal', mod_revision: revision }],
      success: [then],
      failure: [{ request_range: { key, keys_only: true } }],
    })
    if (succeeded) return { is: 'done', revision: header.revision }
    return { is: responses[0]?.response_range.kvs.length === 0 ? 'absent' : 'conflict' }
  }

  #range(request: IRangeRequest, doing: string, signal: AbortSignal): Promise<IRangeResponse> {
    return this.#connection.ask({ doing, signal, repeatable: true }, client => client.kv.range(request))
  }

  #write(doing: string, signal: AbortSignal, request: ITxnRequest) {
    return this.#connection.ask({ doing, signal, repeatable: false }, client => client.kv.txn(request))
  }

  #octets(key: string): Buffer {
    return Buffer.from(this.#prefix + key)
  }

  /** Not cut out of a longer text, which would stay in memory with it. */
  #keyOf({ key }: IKeyValue): string {
    return key.toString('utf8', Buffer.byteLength(this.#prefix))
  }

  #entry(kv: IKeyValue): Entry {
    return { key: this.#keyOf(kv), document: readJson(kv.value.toString()), revision: kv.mod_revision }
  }

  #event(isDeletion: boolean, kv: IKeyValue): WatchEvent {
    return { key: this.#keyOf(kv), entry: isDeletion ? undefined : this.#entry(kv), revision: kv.mod_revision }
  }
}

/** Of a watch, by etcd. */
function canceled({ cancel_reason: says, compact_revision: compacted }: IWatchResponse): Error {
  if (compacted === '0') return new Error(says || 'etcd canceled the watch without a reason')
  return new Error(`required revision has been compacted, up to ${compacted}`)
}
