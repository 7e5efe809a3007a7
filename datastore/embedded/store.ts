/** The embedded store: one SQLite file that several processes open at once. */

import { statSync } from 'node:fs'
import { DatabaseSync, type SQLOutputValue, type StatementSync } from 'node:sqlite'
import { setImmediate as turnOfEventLoop } from 'node:timers/promises'
import { Fault } from '@network/base/run/fault.ts'
import { type Log, silentLog } from '@network/base/run/log.ts'
import { type Clock, type Random, sleep } from '@network/base/time/clock.ts'
import { after, millis } from '@network/base/time/units.ts'
import type { Created, Datastore, Deleted, Entry, Listing, Options, Revision, Updated, WatchEvent } from '../port.ts'
import { readJson } from '../read-json.ts'
import { Ear, tellOthers } from './ear.ts'
import { checkAccess, makeFile, prepareTables, refuseAbsent } from './schema.ts'
import { isBusy, lockedOut, troubleOf } from './trouble.ts'

export interface EmbeddedOptions {
  readonly clock: Clock
  readonly random: Random
  readonly log?: Log
  /** How many of the newest changes a watch can start from. */
  readonly keep?: number
  /** Nothing is made: a file that is missing or empty is refused. */
  readonly mustExist?: boolean
}

const KEEP = 10_000
/** Compaction is part of every this-many-th write. */
const COMPACT_EVERY = 100
const WATCH_BATCH = 500
/** SQLite's own waiting starves the unlucky; short random pauses do not. */
const PAUSE = { least: 0.2, most: 1.2 }
const PATIENCE = millis(10_000)
/** Sorts after every character that a key may continue with. */
const LAST = '\u{10ffff}'

type Row = Record<string, SQLOutputValue>

export class EmbeddedStore implements Datastore {
  readonly url: string
  readonly #path: string
  readonly #db: DatabaseSync
  readonly #options: Required<EmbeddedOptions>
  readonly #file: { readonly dev: number; readonly ino: number }
  readonly #sql: Statements
  readonly #ears = new Set<Ear>()
  #closed = false

  private constructor(path: string, db: DatabaseSync, options: Required<EmbeddedOptions>) {
    this.url = `sqlite:${path}`
    this.#path = path
    this.#db = db
    this.#options = options
    this.#file = statSync(path)
    this.#sql = statements(db)
  }

  /** Opens the file at an absolute path, making it where it is missing unless it must exist. */
  static async open(path: string, options: EmbeddedOptions): Promise<EmbeddedStore> {
    const all = { log: silentLog, keep: KEEP, mustExist: false, ...options }
    try {
      if (all.mustExist) refuseAbsent(path)
      else makeFile(path)
      checkAccess(path)
      return await patiently({ path, doing: 'open datastore', signal: new AbortController().signal, ...all }, () => {
        const db = new DatabaseSync(path, { timeout: 0 })
        try {
          prepareTables(db, path)
          return new EmbeddedStore(path, db, all)
        } catch (reason) {
          db.close()
          throw reason
        }
      })
    } catch (reason) {
      throw troubleOf(reason, { doing: 'open datastore', path })
    }
  }

  get(key: string, { signal }: Options): Promise<Entry | undefined> {
    return this.#attempt(`read ${key} in`, signal, () => {
      const row = this.#sql.get.get(key)
      return row === undefined ? undefined : this.#entry(row)
    })
  }

  list(prefix: string, { signal }: Options): Promise<Listing> {
    return this.#attempt(`list ${prefix} in`, signal, () =>
      this.#transaction('BEGIN', () => ({
        entries: this.#sql.list.all(prefix, prefix + LAST).map(row => this.#entry(row)),
        revision: String(this.#sql.bounds.get()?.['newest'] ?? 0),
      })),
    )
  }

  create(key: string, document: unknown, { signal }: Options): Promise<Created> {
    return this.#write(`create ${key} in`, signal, () =>
      this.#sql.get.get(key) === undefined ? this.#put(key, document) : { is: 'exists' },
    )
  }

  update(key: string, document: unknown, revision: Revision, { signal }: Options): Promise<Updated> {
    return this.#write(`update ${key} in`, signal, () => {
      const present = this.#sql.get.get(key)
      if (present === undefined) return { is: 'absent' }
      return String(present['revision']) === revision ? this.#put(key, document) : { is: 'conflict' }
    })
  }

  delete(key: string, revision: Revision, { signal }: Options): Promise<Deleted> {
    return this.#write(`delete ${key} in`, signal, () => {
      const present = this.#sql.get.get(key)
      if (present === undefined) return { is: 'absent' }
      if (String(present['revision']) !== revision) return { is: 'conflict' }
      this.#sql.remove.run(key)
      this.#log(key, null)
      return { is: 'deleted' }
    })
  }

  async *watch(prefix: string, { from, signal }: Options & { readonly from: Revision }): AsyncGenerator<WatchEvent, void> {
    const { clock, log } = this.#options
    using ear = new Ear(this.#path, { clock, log })
    this.#ears.add(ear)
    try {
      for (let last = numberOf(from); !signal.aborted; ) {
        const rows = await this.#attempt(`watch ${prefix} in`, signal, () => this.#changesAfter(last))
        for (const row of rows) {
          if (signal.aborted) return
          last = Number(row['revision'])
          if (String(row['key']).startsWith(prefix)) yield this.#event(row)
        }
        if (rows.length < WATCH_BATCH) await ear.heard(signal)
      }
    } catch (reason) {
      if (!signal.aborted) throw reason
    } finally {
      this.#ears.delete(ear)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    for (const ear of this.#ears) ear.bell.ring()
    this.#db.close()
  }

  #changesAfter(last: number): Row[] {
    return this.#transaction('BEGIN', () => {
      const bounds = this.#sql.bounds.get()
      const [oldest, newest] = [Number(bounds?.['oldest'] ?? 1), Number(bounds?.['newest'] ?? 0)]
      if (!(last >= oldest - 1 && last <= newest)) throw compacted(this.url, last, { oldest, newest })
      return this.#sql.changes.all(last, WATCH_BATCH)
    })
  }

  #put(key: string, document: unknown): { readonly is: 'written'; readonly revision: Revision } {
    const text = JSON.stringify(document)
    const revision = this.#log(key, text)
    this.#sql.put.run(key, text, revision)
    return { is: 'written', revision: String(revision) }
  }

  /** Appends to the past, and forgets what is too old; returns the new revision. */
  #log(key: string, document: string | null): number {
    const revision = Number(this.#sql.log.run(key, document).lastInsertRowid)
    if (revision % COMPACT_EVERY === 0) this.#sql.compact.run(revision - this.#options.keep)
    return revision
  }

  /** A transaction that writes; gives way to the event loop afterwards, for each one waits for the disk. */
  async #write<T>(doing: string, signal: AbortSignal, work: () => T): Promise<T> {
    const outcome = await this.#attempt(doing, signal, () => this.#transaction('BEGIN IMMEDIATE', work))
    for (const ear of this.#ears) ear.bell.ring()
    tellOthers(this.#path, this.#options)
    await turnOfEventLoop()
    return outcome
  }

  async #attempt<T>(doing: string, signal: AbortSignal, work: () => T): Promise<T> {
    try {
      return await patiently({ path: this.#path, doing, signal, ...this.#options }, () => {
        this.#refuseWhenGone(doing)
        return work()
      })
    } catch (reason) {
      throw troubleOf(reason, { doing, path: this.#path })
    }
  }

  #transaction<T>(begin: 'BEGIN' | 'BEGIN IMMEDIATE', work: () => T): T {
    this.#db.exec(begin)
    try {
      const outcome = work()
      this.#db.exec('COMMIT')
      return outcome
    } finally {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
    }
  }

  /** Writing into a file that was deleted or replaced would be acknowledged and lost. */
  #refuseWhenGone(doing: string): void {
    if (this.#closed) throw new Fault('datastore.closed', { doing, on: this.#path, says: 'it was closed' })
    const now = statSync(this.#path, { throwIfNoEntry: false })
    if (now?.ino === this.#file.ino && now.dev === this.#file.dev) return
    throw new Fault('datastore.replaced', {
      doing,
      on: this.#path,
      says: now === undefined ? 'the file was removed' : 'the file was replaced',
      mend: 'put the former file back, or restart this process to use what is there now',
    })
  }

  #entry(row: Row): Entry {
    return { key: String(row['key']), document: readJson(String(row['document'])), revision: String(row['revision']) }
  }

  #event(row: Row): WatchEvent {
    const entry = row['document'] === null ? undefined : this.#entry(row)
    return { key: String(row['key']), entry, revision: String(row['revision']) }
  }
}

/** The number in a revision of ours; NaN, which no number equals or follows, for any other text. */
function numberOf(revision: Revision): number {
  return /^\d+$/.test(revision) ? Number(revision) : Number.NaN
}

interface Statements {
  readonly get: StatementSync
  readonly list: StatementSync
  readonly put: StatementSync
  readonly remove: StatementSync
  readonly log: StatementSync
  readonly changes: StatementSync
  readonly bounds: StatementSync
  readonly compact: StatementSync
}

function statements(db: DatabaseSync): Statements {
  return {
    get: db.prepare('SELECT key, document, revision FROM entries WHERE key = ?'),
    list: db.prepare('SELECT key, document, revision FROM entries WHERE key BETWEEN ? AND ? ORDER BY key'),
    put: db.prepare('INSERT OR REPLACE INTO entries (key, document, revision) VALUES (?, ?, ?)'),
    remove: db.prepare('DELETE FROM entries WHERE key = ?'),
    log: db.prepare('INSERT INTO changes (key, document) VALUES (?, ?)'),
    changes: db.prepare('SELECT key, document, revision FROM changes WHERE revision > ? ORDER BY revision LIMIT ?'),
    bounds: db.prepare('SELECT (SELECT min(revision) FROM changes) AS oldest, (SELECT max(revision) FROM changes) AS newest'),
    compact: db.prepare('DELETE FROM changes WHERE revision <= ?'),
  }
}

interface Patience {
  readonly path: string
  readonly doing: string
  readonly signal: AbortSignal
  readonly clock: Clock
  readonly random: Random
}

/** Repeats what another process's lock refuses, after a short pause, for ten seconds. */
async function patiently<T>({ path, doing, signal, clock, random }: Patience, work: () => T): Promise<T> {
  const deadline = after(clock.now(), PATIENCE)
  for (;;) {
    signal.throwIfAborted()
    try {
      return work()
    } catch (reason) {
      if (!isBusy(reason)) throw reason
    }
    if (clock.now() >= deadline) throw lockedOut(path, doing)
    await sleep(clock, millis(PAUSE.least + random() * (PAUSE.most - PAUSE.least)), signal)
  }
}

function compacted(url: string, from: number, { oldest, newest }: { readonly oldest: number; readonly newest: number }): Fault {
  return new Fault('datastore.compacted', {
    doing: 'watch',
    on: url,
    says: `revision ${from} is not among those it remembers, ${oldest - 1} to ${newest}`,
    mend: 'list again',
  })
}
