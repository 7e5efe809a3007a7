/** Keys and what lies under them: created once, changed and deleted by who knows the present revision. */

import assert from 'node:assert/strict'
import { options, type Promised, revisionOf } from './promise.ts'

/** Declares the promises about single keys. */
export function keys(promise: Promised): void {
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
    for (const revision of [first, 'nonsense', '', '-1', `${second} `, `0${second}`])
      assert.deepEqual(await store.update('/a', 3, revision, options), { is: 'conflict' }, `revision "${revision}"`)
    assert.equal((await store.get('/a', options))?.document, 2)
  })

  promise('a write of what is there already has a revision of its own', async ({ store }) => {
    const first = revisionOf(await store.create('/a', 1, options))
    assert.notEqual(revisionOf(await store.update('/a', 1, first, options)), first)
  })

  promise('another key’s writes leave a revision good', async ({ store, another }) => {
    const first = revisionOf(await store.create('/a', 1, options))
    await another.create('/b', 1, options)
    assert.equal((await store.get('/a', options))?.revision, first)
    assert.equal((await store.update('/a', 2, first, options)).is, 'written')
  })

  promise('a deletion needs the present revision', async ({ store }) => {
    assert.deepEqual(await store.delete('/a', '1', options), { is: 'absent' })
    const first = revisionOf(await store.create('/a', 1, options))
    const second = revisionOf(await store.update('/a', 2, first, options))
    assert.deepEqual(await store.delete('/a', first, options), { is: 'conflict' })
    assert.deepEqual(await store.delete('/a', second, options), { is: 'deleted' })
    assert.equal(await store.get('/a', options), undefined)
    assert.deepEqual(await store.delete('/a', second, options), { is: 'absent' })
  })

  promise('a key made anew never has a former revision', async ({ store }) => {
    const first = revisionOf(await store.create('/a', 1, options))
    await store.delete('/a', first, options)
    assert.notEqual(revisionOf(await store.create('/a', 1, options)), first)
    assert.deepEqual(await store.update('/a', 2, first, options), { is: 'conflict' })
    assert.deepEqual(await store.delete('/a', first, options), { is: 'conflict' })
  })
}

/** What a key or a prefix might trip over: patterns and quotes of query languages, cases, letters of one and of two UTF-16 units. */
const PECULIAR = [
  '/k/%',
  '/k/_',
  '/k/*',
  '/k/[a-z]',
  "/k/'",
  '/k/"',
  '/k/\\',
  '/k/a b',
  '/k/Ab',
  '/k/ab',
  '/k/ab/',
  '/k/ab/c',
  '/k/e\u0301',
  '/k/é',
  '/k/ключ',
  '/k/世界',
  '/k/\ufffd',
  '/k/🐟',
]

/** Declares the promises about prefixes and the order of keys. */
export function lists(promise: Promised): void {
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

  promise('a prefix is no pattern and no folder: it ends where it ends', async ({ store }) => {
    for (const key of ['/b', '/b.', '/b/', '/b/1', '/b0', '/b/\u{10fffd}', '/B/1', '/c']) await store.create(key, key, options)
    const under = async (prefix: string) => (await store.list(prefix, options)).entries.map(({ key }) => key)
    assert.deepEqual(await under('/b/'), ['/b/', '/b/1', '/b/\u{10fffd}'])
    assert.deepEqual(await under('/b'), ['/b', '/b.', '/b/', '/b/1', '/b/\u{10fffd}', '/b0'])
    assert.deepEqual(await under('/b/1'), ['/b/1'], 'a whole key is a prefix too')
    assert.deepEqual(await under('/b/1/'), [])
    assert.deepEqual(await under('/b/\u{10fffd}'), ['/b/\u{10fffd}'])
  })

  promise('any letters may be in a key, and keys are ordered by code points', async ({ store, another }) => {
    for (const key of PECULIAR.toReversed()) revisionOf(await store.create(key, { key }, options))
    const { entries } = await another.list('/k/', options)
    assert.deepEqual(
      entries.map(({ key }) => key),
      PECULIAR.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
    )
    for (const key of PECULIAR) {
      const entry = await another.get(key, options)
      assert.deepEqual(entry?.document, { key })
      const inList = (await store.list(key, options)).entries[0]
      assert.deepEqual(inList, entry, 'list and get tell the same')
    }
    assert.equal(await store.get('/k/AB', options), undefined, 'cases differ')
  })
}

const MEGABYTE = 1_000_000

/** Declares the promises about documents. */
export function documents(promise: Promised): void {
  promise('documents that are nothing to a careless eye are kept', async ({ store, another }) => {
    for (const [n, document] of [null, false, 0, '', [], {}].entries()) {
      const revision = revisionOf(await store.create(`/d/${n}`, document, options))
      assert.deepEqual(await another.get(`/d/${n}`, options), { key: `/d/${n}`, document, revision })
      assert.deepEqual(await another.create(`/d/${n}`, 1, options), { is: 'exists' })
    }
  })

  promise('a document of a megabyte comes back whole from get, list and watch', async ({ store, another }) => {
    const { revision } = await store.list('', options)
    const document = { text: 'Größe '.repeat(MEGABYTE / 7), end: 'Ω' }
    const first = revisionOf(await store.create('/large', document, options))
    assert.deepEqual((await another.get('/large', options))?.document, document)
    assert.deepEqual((await another.list('/large', options)).entries[0]?.document, document)
    assert.deepEqual((await collectOne(another, revision))?.document, document)
    const smaller = { text: 'small' }
    revisionOf(await another.update('/large', smaller, first, options))
    assert.deepEqual((await store.get('/large', options))?.document, smaller)
  })

  promise('what is stored does not change with what it was made from', async ({ store }) => {
    const document = { list: [1] }
    await store.create('/a', document, options)
    document.list.push(2)
    assert.deepEqual((await store.get('/a', options))?.document, { list: [1] })
  })
}

async function collectOne(store: Parameters<Parameters<Promised>[1]>[0]['store'], from: string) {
  for await (const { entry } of store.watch('', { from, signal: options.signal })) return entry
  return undefined
}
