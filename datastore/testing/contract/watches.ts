/** Watches: every change after a revision, in one order for all, or a word that some are forgotten. */

import assert from 'node:assert/strict'
import { Fault } from '@network/base/run/fault.ts'
import type { Datastore, Entry, WatchEvent } from '../../port.ts'
import { collect, drain, KEEP, numbers, options, type Promised, revisionOf, summary } from './promise.ts'

/** Declares the promises about watches. */
export function watches(promise: Promised): void {
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

  promise('an event carries the revision that the writer was told', async ({ store, another }) => {
    const { revision } = await store.list('', options)
    const created = revisionOf(await store.create('/a', 1, options))
    const updated = revisionOf(await store.update('/a', 2, created, options))
    await store.delete('/a', updated, options)
    const [first, second, third] = await collect(another, '', revision, 3)
    assert.deepEqual(first, { key: '/a', entry: { key: '/a', document: 1, revision: created }, revision: created })
    assert.deepEqual(second, { key: '/a', entry: { key: '/a', document: 2, revision: updated }, revision: updated })
    assert.equal(third?.entry, undefined)
    assert.ok(![created, updated, undefined].includes(third?.revision), 'a deletion has one of its own')
  })

  promise('a watch goes on after any event, also one of a deletion', async ({ store }) => {
    const { revision } = await store.list('', options)
    for (const n of numbers(6)) {
      const written = revisionOf(await store.create('/a', n, options))
      await store.delete('/a', written, options)
    }
    const all = await collect(store, '', revision, 12)
    for (const [at, event] of all.entries())
      if (at < 11) assert.deepEqual(await collect(store, '', event.revision, 11 - at), all.slice(at + 1), `after event ${at}`)
  })

  promise('a watch hears what others write while it waits', async ({ store, another }) => {
    const { revision } = await store.list('/w/', options)
    const seen = collect(store, '/w/', revision, 60)
    for (const n of numbers(60)) await another.create(`/w/${n}`, n, options)
    assert.deepEqual(
      (await seen).map(({ entry }) => entry?.document),
      numbers(60),
    )
  })

  promise('a watch hears its prefix and nothing beside it', async ({ store }) => {
    const { revision } = await store.list('', options)
    const beside = ['/w', '/w.', '/w0', '/W/1', '/v/w/1', '/w\u{10fffd}']
    const under = ['/w/', '/w/%', '/w/a/b', '/w/ключ', '/w/🐟', '/w/\u{10fffd}']
    for (const key of [...beside, ...under]) await store.create(key, 1, options)
    for (const key of [...beside, '/w/end']) await store.create(`${key}!`, 1, options)
    assert.deepEqual(
      (await collect(store, '/w/', revision, under.length + 1)).map(({ key }) => key),
      [...under, '/w/end!'],
    )
    assert.equal((await collect(store, '', revision, 19)).length, 19, 'the empty prefix hears all')
  })

  promise('what was refused is no event', async ({ store }) => {
    const { revision } = await store.list('', options)
    const first = revisionOf(await store.create('/a', 1, options))
    await store.create('/a', 2, options)
    await store.update('/a', 2, 'nonsense', options)
    await store.delete('/b', first, options)
    await store.create('/end', 1, options)
    assert.deepEqual((await collect(store, '', revision, 2)).map(summary), ['/a 1', '/end 1'])
  })

  promise('all watches tell one story, and told to its end it is the list', async ({ store, another }) => {
    const { revision } = await store.list('', options)
    const watching = [store, another, store].map(by => storyOf(by, revision))
    await Promise.all([store, another, store, another].map((by, seed) => meddle(by, seed)))
    await store.create('/end', 1, options)
    const stories = await Promise.all([...watching, storyOf(another, revision)])
    for (const story of stories) assert.deepEqual(story, stories[0])
    assert.deepEqual(replayed(stories[0] ?? []), (await store.list('', options)).entries)
  })

  promise('a slow reader misses nothing', async ({ store, another }) => {
    const { revision } = await store.list('', options)
    await another.create('/w/first', 0, options)
    const seen: string[] = []
    for await (const event of store.watch('', { from: revision, signal: options.signal })) {
      if (seen.length === 0) for (const n of numbers(KEEP - 20)) await another.create(`/w/${n}`, n, options)
      if (seen.push(event.key) === KEEP - 19) break
    }
    assert.deepEqual(seen, ['/w/first', ...numbers(KEEP - 20).map(n => `/w/${n}`)])
  })

  promise('a reader that fell behind goes on without a gap, or is told so', async ({ store, another }) => {
    const { revision } = await store.list('', options)
    await another.create('/w/first', 0, options)
    const seen: string[] = []
    const reading = async () => {
      for await (const event of store.watch('', { from: revision, signal: options.signal })) {
        if (seen.length === 0) for (const n of numbers(KEEP * 10)) await another.create(`/w/${n}`, n, options)
        if (seen.push(event.key) === KEEP * 10 + 1) break
      }
    }
    const end = await reading().catch((reason: unknown) => reason)
    assert.ok(end === undefined || (end instanceof Fault && end.code === 'datastore.compacted'), String(end))
    assert.deepEqual(seen, ['/w/first', ...numbers(seen.length - 1).map(n => `/w/${n}`)])
    assert.equal(end === undefined, seen.length === KEEP * 10 + 1)
  })

  promise('a watch from a revision that is forgotten says so', async ({ store }) => {
    const { revision } = await store.list('/w/', options)
    for (const n of numbers(KEEP * 10)) await store.create(`/w/${n}`, n, options)
    await assert.rejects(collect(store, '/w/', revision, 1), { code: 'datastore.compacted' })
    const recent = (await store.list('/w/', options)).revision
    const seen = collect(store, '/w/', recent, 1)
    await store.create('/w/new', 1, options)
    assert.equal((await seen).length, 1)
  })

  for (const revision of ['12345', '-5', '', 'nonsense'])
    promise(`a watch from a revision that never was says so: "${revision}"`, async ({ store }) => {
      for (const n of numbers(3)) await store.create(`/w/${n}`, n, options)
      await assert.rejects(collect(store, '/w/', revision, 1), { code: 'datastore.compacted' })
    })

  promise('many watches end at once when told', async ({ store }) => {
    const ending = new AbortController()
    const { revision } = await store.list('', options)
    const watching = numbers(5).map(() => drain(store, '', revision, ending.signal))
    await store.create('/a', 1, options)
    ending.abort()
    const seen = await Promise.all(watching)
    assert.ok(seen.every(events => events.length <= 1))
  })

  promise('a watch that is told to end before it began tells nothing', async ({ store }) => {
    const { revision } = await store.list('', options)
    await store.create('/a', 1, options)
    assert.deepEqual(await drain(store, '', revision, AbortSignal.abort()), [])
  })

  promise('a watch that is left hinders nobody', async ({ store, another }) => {
    const { revision } = await store.list('', options)
    await store.create('/a', 1, options)
    for (const by of [store, another]) assert.equal((await collect(by, '', revision, 1)).length, 1)
    assert.equal((await store.create('/b', 1, options)).is, 'written')
    assert.equal((await collect(another, '', revision, 2)).length, 2)
  })
}

/** Writes, updates and deletes on five keys that others write too, by a sequence that depends on the seed only. */
async function meddle(by: Datastore, seed: number): Promise<void> {
  for (const step of numbers(20)) {
    const key = `/m/${(seed * 7 + step * 3) % 5}`
    const entry = await by.get(key, options)
    if (entry === undefined) await by.create(key, `${seed}.${step}`, options)
    else if ((seed + step) % 3 === 0) await by.delete(key, entry.revision, options)
    else await by.update(key, `${seed}.${step}`, entry.revision, options)
  }
}

/** All events up to the one of `/end`. */
async function storyOf(by: Datastore, from: string): Promise<readonly WatchEvent[]> {
  const story: WatchEvent[] = []
  for await (const event of by.watch('', { from, signal: options.signal })) {
    story.push(event)
    if (event.key === '/end') break
  }
  return story
}

function replayed(story: readonly WatchEvent[]): readonly Entry[] {
  const entries = new Map<string, Entry>()
  for (const { key, entry } of story) {
    if (entry === undefined) entries.delete(key)
    else entries.set(key, entry)
  }
  return [...entries.values()].toSorted((a, b) => (a.key < b.key ? -1 : 1))
}
