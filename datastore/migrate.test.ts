/** A migration that is cut at every step, run again, and refused where it would destroy. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keyOfNamed } from '@network/model/resources/kind.ts'
import { NODE_STATUS } from '@network/model/resources/node-status.ts'
import { importInto, migrate, placedOf } from './migrate.ts'
import type { Datastore, Options } from './port.ts'
import { MemoryStore } from './testing/memory.ts'

const options: Options = { signal: new AbortController().signal }

class Named extends MemoryStore {
  override readonly url: string
  constructor(url: string) {
    super()
    this.url = url
  }
}

async function filled(count: number): Promise<Named> {
  const store = new Named('memory:source')
  for (let n = 0; n < count; n++) await store.create(`/cali/v1/things/${n}`, { n, list: [n, null] }, options)
  await store.create('/other/program', 1, options)
  return store
}

async function contents(store: Datastore): Promise<readonly (readonly [string, unknown])[]> {
  return (await store.list('/cali/v1/', options)).entries.map(({ key, document }) => [key, document])
}

test('all of ours is copied, with progress, and nothing else', async () => {
  const from = await filled(40)
  const to = new Named('memory:target')
  const seen: string[] = []
  const progress = ({ done, total }: { readonly done: number; readonly total: number }) => void seen.push(`${done}/${total}`)
  assert.deepEqual(await migrate(from, to, { ...options, progress }), { total: 40, created: 40, updated: 0, deleted: 0 })
  assert.deepEqual(await contents(to), await contents(from))
  assert.equal(await to.get('/other/program', options), undefined)
  assert.deepEqual([seen[0], seen.at(-1), seen.length], ['0/40', '40/40', 41])
  assert.deepEqual(await migrate(from, to, options), { total: 40, created: 0, updated: 0, deleted: 0 }, 'run twice')
})

test('cut at any write it is finished by the next run, also when the source changed in between', async () => {
  for (let cut = 0; cut <= 22; cut++) {
    const from = await filled(20)
    const to = new Named('memory:target')
    const cutting = new Cutting(to, cut)
    const first = await migrate(from, cutting, options).catch((reason: unknown) => reason)
    assert.equal(first instanceof Error, cut < 22, `cut after ${cut} writes`)
    const changed = await from.get('/cali/v1/things/3', options)
    const gone = await from.get('/cali/v1/things/4', options)
    assert.ok(changed !== undefined && gone !== undefined)
    await from.update(changed.key, 'changed', changed.revision, options)
    await from.delete(gone.key, gone.revision, options)
    const again = { ...options, force: cut === 22 }
    await migrate(from, to, again)
    assert.deepEqual(await contents(to), await contents(from), `cut after ${cut} writes`)
  }
})

test('a source that changes while it is copied is copied as it is at the end', async () => {
  const from = await filled(3)
  const to = new Named('memory:target')
  const meddle = async () => {
    const changed = await from.get('/cali/v1/things/1', options)
    const gone = await from.get('/cali/v1/things/2', options)
    if (changed === undefined || gone === undefined) return
    await from.update(changed.key, 'changed', changed.revision, options)
    await from.delete(gone.key, gone.revision, options)
  }
  const progress = ({ done, total }: { readonly done: number; readonly total: number }) =>
    void (done === total && meddling.push(meddle()))
  const meddling: Promise<void>[] = []
  assert.deepEqual(await migrate(from, to, { ...options, progress }), { total: 2, created: 3, updated: 1, deleted: 1 })
  await Promise.all(meddling)
  assert.deepEqual(await contents(to), await contents(from))
})

test('a source that never rests is told so', async () => {
  const from = await filled(1)
  let writes = 0
  const progress = () => void from.create(`/cali/v1/things/new-${writes++}`, 1, options)
  await assert.rejects(migrate(from, new Named('memory:target'), { ...options, progress }), { code: 'migrate.moving' })
})

test('a target that is in use is refused with what would be lost, and overwritten only when told', async () => {
  const from = await filled(3)
  const to = new Named('memory:target')
  await to.create('/cali/v1/things/1', 'other', options)
  await to.create('/cali/v1/things/9', 'more', options)
  const before = await contents(to)
  await assert.rejects(migrate(from, to, options), {
    code: 'migrate.occupied',
    message: /2 documents .*things\/1, .*things\/9.*--force/,
  })
  assert.deepEqual(await contents(to), before)
  assert.deepEqual(await migrate(from, to, { ...options, force: true }), { total: 3, created: 2, updated: 1, deleted: 1 })
  assert.deepEqual(await contents(to), await contents(from))
  await assert.rejects(migrate(from, from, options), { code: 'migrate.occupied', message: /the same/ })
})

test('what a run that was cut short left is not overwritten once agents work with it', async () => {
  const from = await filled(3)
  const to = new Named('memory:target')
  await assert.rejects(migrate(from, new Cutting(to, 2), options))
  await to.create(keyOfNamed(NODE_STATUS, { name: 'a' }), 'an agent', options)
  const changed = await to.get('/cali/v1/things/0', options)
  assert.ok(changed !== undefined)
  await to.update(changed.key, 'in use', changed.revision, options)
  await assert.rejects(migrate(from, to, options), { code: 'migrate.occupied', message: /things\/0/ })
  assert.equal((await to.get(changed.key, options))?.document, 'in use')
})

test('a target that others use since the last run is not overwritten', async () => {
  const from = await filled(3)
  const to = new Named('memory:target')
  await migrate(from, to, options)
  const entry = await to.get('/cali/v1/things/1', options)
  assert.ok(entry !== undefined)
  await to.update(entry.key, 'in use', entry.revision, options)
  await assert.rejects(migrate(from, to, options), { code: 'migrate.occupied' })
})

test('an export is checked whole before anything is written', async () => {
  const good = { key: '/cali/v1/things/1', document: 1 }
  assert.deepEqual(placedOf([good]), [good])
  assert.throws(() => placedOf([good, good, 7, { key: '/x', document: 1 }, { key: '/cali/v1/y' }]), {
    code: 'migrate.unreadable',
    message: /document 2: .* twice; document 3: must be a mapping.*; document 4: key must .*; document 5: must have/,
  })
  const to = new Named('memory:target')
  assert.equal((await importInto(to, [good], options)).created, 1)
})

/** Fails for good after so many writes. */
class Cutting extends Named {
  readonly #inner: MemoryStore
  #left: number
  constructor(inner: MemoryStore, writes: number) {
    super('memory:target')
    this.#inner = inner
    this.#left = writes
  }
  #count(): void {
    if (this.#left-- <= 0) throw new Error('cut')
  }
  override get(...words: Parameters<MemoryStore['get']>) {
    return this.#inner.get(...words)
  }
  override list(...words: Parameters<MemoryStore['list']>) {
    return this.#inner.list(...words)
  }
  override async create(...words: Parameters<MemoryStore['create']>) {
    this.#count()
    return this.#inner.create(...words)
  }
  override async update(...words: Parameters<MemoryStore['update']>) {
    this.#count()
    return this.#inner.update(...words)
  }
}

test('what is not JSON is not carried along, and is named', async () => {
  const from = await filled(2)
  from.spoil('/cali/v1/things/spoilt')
  await assert.rejects(migrate(from, new Named('memory:target'), options), {
    code: 'migrate.unreadable',
    message: /not JSON .*\/cali\/v1\/things\/spoilt; delete/,
  })
})
