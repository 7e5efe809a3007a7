/** Carries all documents from one store to another, or from a file: checked at the end, to be broken off and run again at will. */

import { isDeepStrictEqual } from 'node:util'
import { Fault } from '@network/base/run/fault.ts'
import { isRecord, KEY_ROOT, keyPrefixOf } from '@network/model/resources/kind.ts'
import { NODE_STATUS } from '@network/model/resources/node-status.ts'
import { type Datastore, type Entry, NOT_JSON, type Options } from './port.ts'

/** A document and its place, as files of export have them. */
export type Placed = Pick<Entry, 'key' | 'document'>

export interface MigrateOptions {
  readonly signal: AbortSignal
  /** Writes over, and takes away, what no migration from here put there. */
  readonly force?: boolean
  readonly progress?: (progress: Progress) => void
}

export interface Progress {
  readonly done: number
  readonly total: number
}

export interface Migrated {
  /** Documents that are there now. */
  readonly total: number
  readonly created: number
  readonly updated: number
  readonly deleted: number
}

/** In the target, outside of all that agents read: who fills it. It tells what a run that was cut short left from what is in use. */
const MARK = '/cali/migration'
const ROUNDS = 5
const AT_ONCE = 16

/**
 * All documents but what agents say of themselves at the moment, which lies aside: that is true only where they say it, and only while they
 * do. Rejects with `migrate.unreadable` where there is something that is none.
 */
export async function carried(store: Datastore, options: Options): Promise<readonly Entry[]> {
  const { entries } = await store.list(KEY_ROOT, options)
  const foreign = entries.filter(({ document }) => document === NOT_JSON).map(({ key }) => key)
  if (foreign.length === 0) return entries
  const says = `not JSON is what lies under ${foreign.join(', ')}`
  throw new Fault('migrate.unreadable', { doing: 'read all documents of', on: store.url, says, mend: 'delete those keys first' })
}

/**
 * Makes the target's documents those of the source, as of one revision of it, and checks that they are; repeats while the source changes.
 * Rejects with `migrate.occupied` when the target holds something else that no migration from this source put there.
 */
export async function migrate(from: Datastore, to: Datastore, options: MigrateOptions): Promise<Migrated> {
  if (from.url === to.url) throw refused(to, 'source and target are the same', 'name two stores')
  let sum: Migrated = { total: 0, created: 0, updated: 0, deleted: 0 }
  for (let round = 0; round < ROUNDS; round++) {
    const entries = await carried(from, options)
    // What an earlier round put there is ours to change, marked as finished or not.
    const done = await place(entries, to, { ...options, source: from.url, force: round > 0 || options.force === true })
    sum = {
      total: done.total,
      created: sum.created + done.created,
      updated: sum.updated + done.updated,
      deleted: sum.deleted + done.deleted,
    }
    const now = await carried(from, options)
    if (differences(now, entries).length === 0) return sum
  }
  throw new Fault('migrate.moving', {
    doing: 'migrate',
    on: `${from.url} to ${to.url}`,
    says: `the source changed while it was copied, ${ROUNDS} times in a row`,
    mend: 'stop the agents, or whoever writes, and run it again: what is there already is not copied again',
  })
}

/** Makes the target's documents those of an export; otherwise like `migrate`. */
export function importInto(to: Datastore, placed: readonly Placed[], options: MigrateOptions): Promise<Migrated> {
  return place(placed, to, { ...options, source: 'an export' })
}

/** Checks what a file of export holds; every fault names the place. */
export function placedOf(documents: readonly unknown[]): readonly Placed[] {
  const problems: string[] = []
  const keys = new Set<string>()
  const placed = documents.flatMap((document, at) => {
    const wrong = (says: string) => {
      problems.push(`document ${at + 1}: ${says}`)
      return []
    }
    if (!isRecord(document)) return wrong('must be a mapping with key and document')
    const { key, document: inner, ...others } = document
    if (typeof key !== 'string' || !key.startsWith(KEY_ROOT)) return wrong(`key must be text that begins with ${KEY_ROOT}`)
    if (inner === undefined || Object.keys(others).length > 0) return wrong('must have key and document and nothing else')
    if (keys.has(key)) return wrong(`${key} is there twice`)
    keys.add(key)
    return [{ key, document: inner }]
  })
  if (problems.length === 0) return placed
  const mend = 'use what calictl datastore export wrote; nothing was changed'
  throw new Fault('migrate.unreadable', { doing: 'import', on: 'the file', says: problems.join('; '), mend })
}

interface PlaceOptions extends MigrateOptions {
  readonly source: string
}

/** Agents that use a store say so in it. */
async function hasAgents(store: Datastore, options: Options): Promise<boolean> {
  return (await store.list(keyPrefixOf(NODE_STATUS.plural), options)).entries.length > 0
}

interface Difference {
  readonly key: string
  readonly wanted: Placed | undefined
  readonly present: Entry | undefined
}

async function place(wanted: readonly Placed[], to: Datastore, options: PlaceOptions): Promise<Migrated> {
  const { force = false, progress, signal } = options
  const present = await carried(to, options)
  const work = differences(wanted, present)
  const mark = await to.get(MARK, options)
  const isCutShort = isRecord(mark?.document) && mark.document['from'] === options.source && mark.document['finished'] === false
  // Agents that work with what a run left have made it theirs.
  const isOurs = isCutShort && !(await hasAgents(to, options))
  if (work.some(({ present: other }) => other !== undefined) && !isOurs && !force) throw occupied(to, work)
  if (work.length > 0) await setMark(to, { from: options.source, finished: false }, options)
  let done = wanted.length - work.filter(({ wanted: one }) => one !== undefined).length
  progress?.({ done, total: wanted.length })
  await each(work, AT_ONCE, async one => {
    await settle(to, one, options)
    if (one.wanted !== undefined) progress?.({ done: ++done, total: wanted.length })
  })
  const left = differences(wanted, await carried(to, { signal }))
  if (left.length > 0) throw disturbed(to, left)
  await setMark(to, { from: options.source, finished: true }, options)
  const count = (is: (one: Difference) => boolean) => work.filter(is).length
  return {
    total: wanted.length,
    created: count(({ present: other }) => other === undefined),
    updated: count(one => one.present !== undefined && one.wanted !== undefined),
    deleted: count(one => one.wanted === undefined),
  }
}

function differences(wanted: readonly Placed[], present: readonly (Placed & Partial<Entry>)[]): readonly Difference[] {
  const there = new Map(present.map(entry => [entry.key, entry]))
  const entryOf = (key: string): Entry | undefined => {
    const found = there.get(key)
    return found === undefined ? undefined : { key, document: found.document, revision: found.revision ?? '' }
  }
  const keys = new Set(wanted.map(({ key }) => key))
  return [
    ...wanted
      .filter(({ key, document }) => !there.has(key) || !isDeepStrictEqual(there.get(key)?.document, document))
      .map(one => ({ key: one.key, wanted: one, present: entryOf(one.key) })),
    ...present.filter(({ key }) => !keys.has(key)).map(({ key }) => ({ key, wanted: undefined, present: entryOf(key) })),
  ]
}

async function settle(to: Datastore, { key, wanted, present }: Difference, { signal }: MigrateOptions): Promise<void> {
  if (wanted === undefined) await to.delete(key, present?.revision ?? '', { signal })
  else if (present === undefined) await to.create(key, wanted.document, { signal })
  else await to.update(key, wanted.document, present.revision, { signal })
}

async function setMark(
  to: Datastore,
  mark: { readonly from: string; readonly finished: boolean },
  { signal }: MigrateOptions,
): Promise<void> {
  const present = await to.get(MARK, { signal })
  if (isDeepStrictEqual(present?.document, mark)) return
  const outcome =
    present === undefined ? await to.create(MARK, mark, { signal }) : await to.update(MARK, mark, present.revision, { signal })
  if (outcome.is !== 'written') throw disturbed(to, [])
}

/** So many at a time; the first failure is the outcome, after all that was begun has ended. */
async function each<T>(all: readonly T[], atOnce: number, work: (one: T) => Promise<void>): Promise<void> {
  const rest = all.values()
  const failures: unknown[] = []
  const worker = async () => {
    for (const one of rest) {
      if (failures.length > 0) return
      await work(one).catch((reason: unknown) => failures.push(reason))
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  if (failures.length > 0) throw failures[0]
}

function occupied(to: Datastore, work: readonly Difference[]): Fault {
  const keys = work.flatMap(({ key, present }) => (present === undefined ? [] : [key]))
  const some = `${keys.slice(0, 3).join(', ')}${keys.length > 3 ? ', …' : ''}`
  return refused(
    to,
    `it holds ${keys.length === 1 ? 'a document' : `${keys.length} documents`} that would be lost: ${some}`,
    'name an empty store or another prefix, or add --force; nothing was changed',
  )
}

function disturbed(to: Datastore, left: readonly Difference[]): Fault {
  const keys = left.map(({ key }) => key).slice(0, 3)
  return new Fault('migrate.disturbed', {
    doing: 'migrate to',
    on: to.url,
    says: `somebody else writes there: ${keys.join(', ') || MARK}`,
    mend: 'stop agents that use it already, and run it again',
  })
}

function refused(to: Datastore, says: string, mend: string): Fault {
  return new Fault('migrate.occupied', { doing: 'migrate to', on: to.url, says, mend })
}
