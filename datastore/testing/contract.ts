/** What every backend promises, as tests. */

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Fault } from '@network/base/run/fault.ts'
import type { Datastore, Options, Revision, WatchEvent } from '../port.ts'

export interface Backend {
  /** A fresh, empty store. `keep`: the changes that it remembers, at the least; of 10 times as many it must have forgotten some. */
  open(options: { readonly keep: number }): Promise<Opened>
}

export interface Opened {
  readonly store: Datastore
  /** The same data, opened a second time where the backend can. */
  readonly another: Datastore
  close(): Promise<void>
}

const KEEP = 100
const options: Options = { signal: new AbortController().signal }

/** Declares the suite for one backend. */
export function contractOf(name: string, backend: Backend): void {
  const promise = (says: string, check: (opened: Opened) => Promise<void>) =>
    test(says, { timeout: 20_000 }, async () => {
      const opened = await backend.open({ keep: KEEP })
      try {
        await check(opened)
      } finally {
        await opened.close()
      }
    })
  describe(`${name} keeps the contract`, () => {
    describe('keys', () => keys(promise))
    describe('lists and watches', () => watches(promise))
    describe('ends', () => ends(promise))
  })
}

type Promised = (says: string, check: (opened: Opened) => Promise<void>) => void

function keys(promise: Promised): void {
  promise('an absent key is undefined', async ({ store }) => assert.equal(await store.get('/a', options), undefined))

  promise('what was created is read, by others too', async ({ store, another }) => {
    const document = { text: 'Grüße, 世界 🐟', nested: { list: [1, null, true, 1.5], empty: {} } }
    const created = await store.create('/a', document, options)
    assert.ok(created.is === 'written')
    assert.deepEqual(await another.get('/a', options), { key: '/a', document, revision: created.revision })
  })

  promise('a key is created once', async ({ store, another }) => {
    await store.create('/a', 1, options)
    assert.deepEqual(await another.create('/a', 2, options), { is: 'exists' })
    assert.equal((await store.get('/a', options))?.document, 1)
  })

  promise('an update needs the present revision', async ({ store }) => {
    assert.deepEqual(await store.update('/a', 1, '1', options), { is: 'absent' })
    const first = revisionOf(await store.create('/a', 1, options))
    const second = revisionOf(await store.update('/a', 2, first, options))
    assert.notEqual(first, second)
    assert.deepEqual(await store.update('/a', 3, first, options), { is: 'conflict' })
    assert.deepEqual(await store.update('/a', 3, 'nonsense', options), { is: 'conflict' })
    assert.equal((await store.get('/a', options))?.document, 2)
  })

  promise('a deletion needs the present revision', async ({ store }) => {
    assert.deepEqual(await store.delete('/a', '1', options), { is: 'absent' })
    const first = revisionOf(await store.create('/a', 1, options))
    const second = revisionOf(await store.update('/a', 2, first, options))
    assert.deepEqual(await store.delete('/a', first, options), { is: 'conflict' })
    assert.deepEqual(await store.delete('/a', second, options), { is: 'deleted' })
    assert.equal(await store.get('/a', options), undefined)
  })

  promise('a key made anew never has a former revision', async ({ store }) => {
    const first = revisionOf(await store.create('/a', 1, options))
    await store.delete('/a', first, options)
    assert.notEqual(revisionOf(await store.create('/a', 1, options)), first)
    assert.deepEqual(await store.update('/a', 2, first, options), { is: 'conflict' })
  })

  promise('two who count together lose nothing', async ({ store, another }) => {
    await store.create('/n', 0, options)
    const count = async (by: Datastore) => {
      for (let done = 0; done < 50; ) {
        const entry = await by.get('/n', options)
        assert.ok(entry !== undefined)
        if ((await by.update('/n', Number(entry.document) + 1, entry.revision, options)).is === 'written') done += 1
      }
    }
    await Promise.all([count(store), count(another)])
    assert.equal((await store.get('/n', options))?.document, 100)
  })
}

function watches(promise: Promised): void {
  promise('a list holds what begins with the prefix, by key', async ({ store }) => {
    for (const key of ['/b/2', '/b/10', '/b', '/c/1', '/a/1', '/b/é', '/b/1']) await store.create(key, key, options)
    const { entries } = await store.list('/b/', options)
    assert.deepEqual(
      entries.map(({ key }) => key),
      ['/b/1', '/b/10', '/b/2', '/b/é'],
    )
    assert.equal((await store.list('', options)).entries.length, 7)
    assert.deepEqual((await store.list('/d/', options)).entries, [])
  })

  promise('a watch goes on where the list was, in order, with nothing left out', async ({ store, another }) => {
    await store.create('/w/before', 0, options)
    const { revision } = await store.list('/w/', options)
    const first = revisionOf(await store.create('/w/a', 1, options))
    await store.create('/x/other', 1, options)
    const second = revisionOf(await another.update('/w/a', 2, first, options))
    const seen = collect(store, '/w/', revision, 4)
    await another.delete('/w/a', second, options)
    await another.create('/w/a', 3, options)
    assert.deepEqual((await seen).map(summary), ['/w/a 1', '/w/a 2', '/w/a gone', '/w/a 3'])
  })

  promise('a watch hears what others write while it waits', async ({ store, another }) => {
    const { revision } = await store.list('/w/', options)
    const seen = collect(store, '/w/', revision, 60)
    for (let n = 0; n < 60; n++) await another.create(`/w/${n}`, n, options)
    assert.deepEqual(
      (await seen).map(({ entry }) => entry?.document),
      Array.from({ length: 60 }, (_, n) => n),
    )
  })

  promise('a watch from a revision that is forgotten says so', async ({ store }) => {
    const { revision } = await store.list('/w/', options)
    for (let n = 0; n < KEEP * 10; n++) await store.create(`/w/${n}`, n, options)
    await assert.rejects(collect(store, '/w/', revision, 1), { code: 'datastore.compacted' })
    const recent = (await store.list('/w/', options)).revision
    const seen = collect(store, '/w/', recent, 1)
    await store.create('/w/new', 1, options)
    assert.equal((await seen).length, 1)
  })

  promise('a watch from a revision that never was says so', async ({ store }) => {
    await assert.rejects(collect(store, '/w/', '12345', 1), { code: 'datastore.compacted' })
  })

  promise('many watches end at once when told', async ({ store }) => {
    const ending = new AbortController()
    const { revision } = await store.list('', options)
    const watching = Array.from({ length: 5 }, () => drain(store, '', revision, ending.signal))
    await store.create('/a', 1, options)
    ending.abort()
    const seen = await Promise.all(watching)
    assert.ok(seen.every(events => events.length <= 1))
  })
}

function ends(promise: Promised): void {
  promise('a call with an aborted signal rejects with its reason', async ({ store }) => {
    const reason = new Error('enough')
    const aborted = { signal: AbortSignal.abort(reason) }
    await assert.rejects(store.get('/a', aborted), reason)
    await assert.rejects(store.list('/a', aborted), reason)
    await assert.rejects(store.create('/a', 1, aborted), reason)
    assert.equal(await store.get('/a', options), undefined)
  })

  promise('a closed store says so, to open watches too, and closes twice', async ({ store }) => {
    const { revision } = await store.list('', options)
    const watching = collect(store, '', revision, 1)
    await store[Symbol.asyncDispose]()
    await store[Symbol.asyncDispose]()
    await assert.rejects(watching, { code: 'datastore.closed' })
    await assert.rejects(store.get('/a', options), (reason: unknown) => reason instanceof Fault)
  })
}

/** The first `count` events after a revision. */
export async function collect(store: Datastore, prefix: string, from: Revision, count: number): Promise<readonly WatchEvent[]> {
  const seen: WatchEvent[] = []
  for await (const event of store.watch(prefix, { from, signal: options.signal })) {
    seen.push(event)
    if (seen.length === count) break
  }
  return seen
}

async function drain(store: Datastore, prefix: string, from: Revision, signal: AbortSignal): Promise<readonly WatchEvent[]> {
  const seen: WatchEvent[] = []
  for await (const event of store.watch(prefix, { from, signal })) seen.push(event)
  return seen
}

function summary({ key, entry }: WatchEvent): string {
  return `${key} ${entry === undefined ? 'gone' : String(entry.document)}`
}

function revisionOf(result: { readonly is: string; readonly revision?: Revision }): Revision {
  assert.ok(result.revision !== undefined, `not written: ${result.is}`)
  return result.revision
}
