/** The embedded store keeps the contract, and says what is wrong with a file. */
import assert from 'node:assert/strict'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, test } from 'node:test'
import { setImmediate as turnOfEventLoop } from 'node:timers/promises'
import { ManualClock } from '@network/base/testing/manual-clock.ts'
import { asOrdinaryUser } from '@network/base/testing/ordinary-user.ts'
import { seededRandom } from '@network/base/testing/seeded-random.ts'
import { systemClock } from '@network/base/time/clock.ts'
import { millis } from '@network/base/time/units.ts'
import { openDatastore } from '../open.ts'
import { NOT_JSON } from '../port.ts'
import { contractOf } from '../testing/contract.ts'
import { temporaryDirectory } from '../testing/directory.ts'
import { EmbeddedStore } from './store.ts'

const chance = { clock: systemClock, random: seededRandom(1) }
const options = { signal: new AbortController().signal }

contractOf('the embedded store', {
  async open({ keep }) {
    const directory = await temporaryDirectory()
    const path = join(directory.path, 'cali.db')
    const store = await EmbeddedStore.open(path, { ...chance, keep })
    const another = await EmbeddedStore.open(path, { ...chance, keep })
    const close = async () => {
      await store[Symbol.asyncDispose]()
      await another[Symbol.asyncDispose]()
      await directory[Symbol.asyncDispose]()
    }
    return { store, another, close }
  },
})

describe('opening', () => {
  const spoilt: readonly (readonly [string, (path: string) => void, string])[] = [
    ['text', path => writeFileSync(path, 'nodes: []\n'.repeat(500)), 'datastore.not-a-database'],
    ['a directory', path => mkdirSync(path), 'datastore.path'],
    ['another program’s database', path => sqlite(path, 'CREATE TABLE songs (name TEXT)'), 'datastore.foreign'],
    ['a newer version', path => sqlite(path, 'PRAGMA application_id = 1128352841; PRAGMA user_version = 2'), 'datastore.too-new'],
  ]
  for (const [name, spoil, code] of spoilt)
    test(`${name} is refused by name and left as it was`, async () => {
      await using directory = await temporaryDirectory()
      const path = join(directory.path, 'cali.db')
      spoil(path)
      const before = statSync(path).isFile() ? readFileSync(path) : undefined
      await assert.rejects(openDatastore(`sqlite:${path}`, chance), fault(code, path))
      if (before !== undefined) assert.deepEqual(readFileSync(path), before)
    })

  test('a directory that is a file is refused', async () => {
    await using directory = await temporaryDirectory()
    writeFileSync(join(directory.path, 'file'), '')
    const path = join(directory.path, 'file', 'cali.db')
    await assert.rejects(openDatastore(`sqlite:${path}`, chance), fault('datastore.path', path))
  })

  test('a file or directory that may not be written is refused', async () => {
    await using directory = await temporaryDirectory()
    chmodSync(directory.path, 0o755)
    const path = join(directory.path, 'cali.db')
    await (await openDatastore(`sqlite:${path}`, chance))[Symbol.asyncDispose]()
    const open = () => asOrdinaryUser(() => openDatastore(`sqlite:${path}`, chance))
    chmodSync(path, 0o444)
    await assert.rejects(open(), fault('datastore.forbidden', path))
    chmodSync(path, 0o666)
    chmodSync(directory.path, 0o555)
    await assert.rejects(open(), fault('datastore.forbidden', path))
    chmodSync(directory.path, 0o700)
  })

  test('what is missing is made, for the owner only', async () => {
    await using directory = await temporaryDirectory()
    const path = join(directory.path, 'deep', 'er', 'cali.db')
    await using store = await openDatastore(`sqlite://${path}`, chance)
    await store.create('/a', 1, options)
    assert.equal(statSync(join(directory.path, 'deep', 'er')).mode & 0o777, 0o700)
    for (const suffix of ['', '-wal', '-shm']) assert.equal(statSync(path + suffix).mode & 0o777, 0o600, suffix)
  })

  for (const [what, make] of [
    ['there is no such file', () => undefined],
    ['the file is empty', (path: string) => writeFileSync(path, '')],
  ] as const)
    test(`a store that must exist is refused and not made: ${what}`, async () => {
      await using directory = await temporaryDirectory()
      const path = join(directory.path, 'cali.db')
      make(path)
      await assert.rejects(openDatastore(`sqlite:${path}`, { ...chance, mustExist: true }), {
        code: 'datastore.absent',
        message: new RegExp(`${path}: ${what}; .*--datastore`),
      })
      assert.equal(statSync(path, { throwIfNoEntry: false })?.size ?? 0, 0)
      await (await openDatastore(`sqlite:${path}`, chance))[Symbol.asyncDispose]()
      await (await openDatastore(`sqlite:${path}`, { ...chance, mustExist: true }))[Symbol.asyncDispose]()
    })

  for (const url of ['etcd:http://127.0.0.1:2379', 'sqlite:cali.db', 'sqlite:', 'sqlite:/var/lib/', '/var/lib/cali.db'])
    test(`${url} is refused, and what is right is named`, () =>
      assert.rejects(openDatastore(url, chance), { code: 'datastore.url', message: /sqlite:\/var\/lib\/cali\/cali\.db/ }))
})

describe('trouble later', () => {
  test('a damaged file is said to be damaged', async () => {
    await using directory = await temporaryDirectory()
    const path = join(directory.path, 'cali.db')
    const store = await openDatastore(`sqlite:${path}`, chance)
    for (let n = 0; n < 200; n++) await store.create(`/k/${n}`, { text: 'x'.repeat(500) }, options)
    await store[Symbol.asyncDispose]()
    truncateSync(path, 8192)
    const cut = async () => {
      await using again = await openDatastore(`sqlite:${path}`, chance)
      await again.list('', options)
    }
    await assert.rejects(cut, fault('datastore.corrupt', path))
  })

  test('a row that is not JSON hides no other', async () => {
    await using directory = await temporaryDirectory()
    const path = join(directory.path, 'cali.db')
    await using store = await openDatastore(`sqlite:${path}`, chance)
    for (const key of ['/a', '/b']) await store.create(key, 1, options)
    const db = new DatabaseSync(path)
    db.exec(`UPDATE entries SET document = '{' WHERE key = '/a'`)
    db.close()
    const { entries } = await store.list('/', options)
    assert.deepEqual(
      entries.map(({ document }) => document),
      [NOT_JSON, 1],
    )
    const spoilt = await store.get('/a', options)
    assert.equal((await store.delete('/a', spoilt?.revision ?? '', options)).is, 'deleted')
  })

  test('a removed or replaced file is not written to', async () => {
    await using directory = await temporaryDirectory()
    const path = join(directory.path, 'cali.db')
    await using store = await openDatastore(`sqlite:${path}`, chance)
    renameSync(path, `${path}.aside`)
    await assert.rejects(store.create('/a', 1, options), fault('datastore.replaced', path))
    writeFileSync(path, '')
    await assert.rejects(store.get('/a', options), fault('datastore.replaced', path))
    rmSync(path)
    renameSync(`${path}.aside`, path)
    assert.equal((await store.create('/a', 1, options)).is, 'written')
  })

  test('a lock that is never given back is named after ten seconds', async () => {
    await using directory = await temporaryDirectory()
    const path = join(directory.path, 'cali.db')
    const clock = new ManualClock()
    await using store = await EmbeddedStore.open(path, { clock, random: seededRandom(1) })
    const hog = new DatabaseSync(path, { timeout: 0 })
    hog.exec('BEGIN IMMEDIATE')
    let refusal: unknown
    const writing = store.create('/a', 1, options).catch(reason => {
      refusal = reason
    })
    for (; refusal === undefined; await turnOfEventLoop()) clock.advance(millis(1000))
    await writing
    assert.ok(fault('datastore.locked', path)(refusal))
    assert.equal(await store.get('/a', options), undefined, 'reading goes on meanwhile')
    hog.exec('ROLLBACK')
    hog.close()
    assert.equal((await store.create('/a', 1, options)).is, 'written')
  })

  test('nothing stays beside the file when it is closed', async () => {
    await using directory = await temporaryDirectory()
    const path = join(directory.path, 'cali.db')
    const store = await openDatastore(`sqlite:${path}`, chance)
    await store.create('/a', 1, options)
    await store[Symbol.asyncDispose]()
    assert.ok(!existsSync(`${path}-wal`))
  })
})

function sqlite(path: string, statement: string): void {
  const db = new DatabaseSync(path)
  db.exec(statement)
  db.close()
}

function fault(code: string, path: string): (thrown: unknown) => boolean {
  return thrown => {
    assert.ok(thrown instanceof Error && 'code' in thrown, String(thrown))
    assert.equal(thrown.code, code, thrown.message)
    assert.ok(thrown.message.includes(path), thrown.message)
    return true
  }
}
