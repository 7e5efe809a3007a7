/** List, then watch, for ever: a stream of true differences, and of whether they are up to date. */

import { Fault, reasonOf } from '@network/base/run/fault.ts'
import { backoff } from '@network/base/time/backoff.ts'
import { type Clock, type Random, sleep } from '@network/base/time/clock.ts'
import { millis } from '@network/base/time/units.ts'
import type { Change } from '@network/model/snapshot.ts'
import { Bell } from './bell.ts'
import type { Datastore, Entry, Listing, Revision } from './port.ts'

export type SyncEvent =
  /** What became different since the last event, each key once. */
  | { readonly is: 'changes'; readonly changes: readonly Change[] }
  /** Everything that was in the store has been told. */
  | { readonly is: 'in-sync' }
  /** The store does not answer; what was told may be old. `since` is RFC 3339. An `in-sync` follows when it answers again. */
  | { readonly is: 'stale'; readonly since: string; readonly error: string }

export interface SyncOptions {
  readonly prefix: string
  readonly clock: Clock
  readonly random: Random
  readonly signal: AbortSignal
}

/** The store answers, only not to this watch: what was told holds until the next list. */
const TOO_FAR_BEHIND = 'datastore.compacted'
/** By us; it never opens again. */
const CLOSED = 'datastore.closed'
const RETRY = { base: millis(100), cap: millis(5_000) }

/**
 * Everything under `prefix`, and then every change of it, until the signal aborts or the store is closed. Never rejects for what the store
 * does: it says `stale` and tries again. A slow reader costs no memory: changes of one key that it has not taken yet become one.
 */
export async function* sync(store: Datastore, options: SyncOptions): AsyncGenerator<SyncEvent, void, undefined> {
  const ending = new AbortController()
  const signal = AbortSignal.any([options.signal, ending.signal])
  const news = new News()
  const following = follow(store, { ...options, signal }, news).finally(() => ending.abort())
  try {
    while (!signal.aborted) {
      yield* news.take()
      await news.bell.rung(signal)
    }
  } finally {
    ending.abort()
    await following
  }
}

/** What the reader has not taken yet. */
class News {
  readonly bell = new Bell()
  readonly #changes = new Map<string, Change>()
  /** Of which the reader was told that they are there. */
  readonly #keys = new Set<string>()
  #wasInSync = false
  #told: SyncEvent | undefined
  #state: Exclude<SyncEvent, { is: 'changes' }> | undefined

  /** There was a whole list. */
  get wasInSync(): boolean {
    return this.#wasInSync
  }

  add(change: Change): void {
    this.#changes.set(change.key, change)
    this.bell.ring()
  }

  become(state: Exclude<SyncEvent, { is: 'changes' }>): void {
    if (state.is === this.#state?.is) return
    this.#state = state
    this.#wasInSync ||= state.is === 'in-sync'
    this.bell.ring()
  }

  *take(): Generator<SyncEvent> {
    // Of one moment: what comes while the reader looks at these changes belongs to the next state.
    const state = this.#state
    const changes = [...this.#changes.values()].filter(change => this.#isNews(change))
    this.#changes.clear()
    if (changes.length > 0) yield { is: 'changes', changes }
    if (state === undefined || state === this.#told) return
    this.#told = state
    yield state
  }

  /** What came and went unseen never was. */
  #isNews({ key, document }: Change): boolean {
    if (document === undefined) return this.#keys.delete(key)
    this.#keys.add(key)
    return true
  }
}

/** Ends when the signal aborts, or when the store is closed. */
async function follow(store: Datastore, { prefix, clock, random, signal }: SyncOptions, news: News): Promise<void> {
  const known = new Map<string, Revision>()
  for (let failures = 0; !signal.aborted; ) {
    try {
      const from = await relist(store, { prefix, signal }, known, news)
      failures = 0
      await watch(store, { prefix, signal, from }, known, news)
    } catch (reason) {
      if (signal.aborted) return
      if (!(reason instanceof Fault)) throw reason
      if (reason.code === CLOSED) return
      if (reason.code !== TOO_FAR_BEHIND) news.become({ is: 'stale', since: clock.wall().toISOString(), error: reasonOf(reason) })
    }
    await sleep(clock, backoff(failures++, RETRY, random), signal).catch(() => undefined)
  }
}

/** The first list is told as it comes, for its reader waits for the end of it anyway; later ones as one difference, of one moment. */
async function relist(
  store: Datastore,
  { prefix, signal }: { readonly prefix: string; readonly signal: AbortSignal },
  known: Map<string, Revision>,
  news: News,
): Promise<Revision> {
  const isFirst = !news.wasInSync
  const different: Entry[] = []
  const present = new Set<string>()
  let at: Revision = ''
  for await (const { entries, revision } of pagesOf(store, prefix, signal)) {
    at = revision
    for (const entry of entries) {
      present.add(entry.key)
      if (known.get(entry.key) !== entry.revision) different.push(entry)
    }
    if (isFirst) for (const entry of different.splice(0)) tell(entry, known, news)
  }
  for (const key of known.keys()) if (!present.has(key)) forget(key, known, news)
  for (const entry of different) tell(entry, known, news)
  news.become({ is: 'in-sync' })
  return at
}

async function* pagesOf(store: Datastore, prefix: string, signal: AbortSignal): AsyncGenerator<Listing, void> {
  if (store.pages === undefined) yield await store.list(prefix, { signal })
  else yield* store.pages(prefix, { signal })
}

async function watch(
  store: Datastore,
  { prefix, signal, from }: { readonly prefix: string; readonly signal: AbortSignal; readonly from: Revision },
  known: Map<string, Revision>,
  news: News,
): Promise<void> {
  for await (const { key, entry } of store.watch(prefix, { from, signal })) {
    if (entry === undefined) forget(key, known, news)
    else tell(entry, known, news)
  }
}

function tell({ key, document, revision }: Entry, known: Map<string, Revision>, news: News): void {
  known.set(key, revision)
  news.add({ key, document, revision })
}

function forget(key: string, known: Map<string, Revision>, news: News): void {
  known.delete(key)
  news.add({ key, document: undefined })
}
