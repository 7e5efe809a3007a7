/** A disk that is really full: the store says so, keeps what it acknowledged, and goes on when there is space again. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { Fault } from '@network/base/run/fault.ts'
import { systemClock, systemRandom } from '@network/base/time/clock.ts'
import { openDatastore } from '@network/datastore/open.ts'
import type { Datastore } from '@network/datastore/port.ts'

const SIZE_KIB = 1024
const options = { signal: new AbortController().signal }
const chance = { clock: systemClock, random: systemRandom }

test('a full disk: a clear error, all acknowledged writes there, reading goes on, and writing when space is back', async () => {
  using disk = smallDisk('writing')
  const filler = `${disk.path}/filler`
  await using store = await openDatastore(disk.url, chance)
  const { revision } = await store.list('', options)
  writeFileSync(filler, 'x'.repeat((SIZE_KIB / 2) << 10))
  const { acknowledged, refusal } = await fill(store, '/a')
  assert.ok(acknowledged > 10, `${acknowledged} fitted`)
  isFull(refusal, disk.path)
  assert.equal(await store.get(`/a/${acknowledged}`, options), undefined, 'what was refused is not there')
  await holds(store, { prefix: '/a', count: acknowledged })

  await using other = await openDatastore(disk.url, { ...chance, mustExist: true })
  await holds(other, { prefix: '/a', count: acknowledged })
  isFull((await fill(other, '/b')).refusal, disk.path)

  rmSync(filler)
  const again = await fill(store, '/c', 15)
  assert.deepEqual(again, { acknowledged: 15, refusal: undefined })
  await holds(other, { prefix: '/c', count: 15 })
  await holds(other, { prefix: '/a', count: acknowledged })
  const heard = new Set<string>()
  for await (const { key } of other.watch('/c', { from: revision, signal: options.signal })) if (heard.add(key).size === 15) break
})

test('a store on a full disk is refused when it is made, and made when space is back', async () => {
  using disk = smallDisk('making')
  const filler = `${disk.path}/filler`
  assert.throws(() => writeFileSync(filler, 'x'.repeat(SIZE_KIB << 11)), { code: 'ENOSPC' })
  const refusal = await openDatastore(disk.url, chance).catch((reason: unknown) => reason)
  isFull(refusal, disk.path)
  rmSync(filler)
  await using store = await openDatastore(disk.url, chance)
  assert.deepEqual(await fill(store, '/a', 20), { acknowledged: 20, refusal: undefined })
})

test('what was acknowledged on a full disk is there for the next process, which may begin before there is space', async () => {
  using disk = smallDisk('reopening')
  const filler = `${disk.path}/filler`
  const before = await openDatastore(disk.url, chance)
  writeFileSync(filler, 'x'.repeat((SIZE_KIB / 2) << 10))
  const { acknowledged } = await fill(before, '/a')
  await before[Symbol.asyncDispose]()
  await using store = await openDatastore(disk.url, chance)
  await holds(store, { prefix: '/a', count: acknowledged })
  rmSync(filler)
  assert.equal((await store.create('/b', 1, options)).is, 'written')
})

interface Disk extends Disposable {
  readonly path: string
  readonly url: string
}

/** A file system of its own, in this mount namespace only. */
function smallDisk(name: string): Disk {
  const path = `/run/disk-${name}`
  mkdirSync(path)
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE_KIB}k`, 'small', path])
  return { path, url: `sqlite:${path}/cali.db`, [Symbol.dispose]: () => void execFileSync('umount', [path]) }
}

/** Writes until it is refused, or so many times. */
async function fill(store: Datastore, prefix: string, most = 10_000): Promise<{ acknowledged: number; refusal: unknown }> {
  for (let n = 0; n < most; n++) {
    try {
      const created = await store.create(`${prefix}/${n}`, { n, filling: 'x'.repeat(1000) }, options)
      assert.equal(created.is, 'written')
    } catch (refusal) {
      return { acknowledged: n, refusal }
    }
  }
  return { acknowledged: most, refusal: undefined }
}

function isFull(refusal: unknown, path: string): void {
  assert.ok(refusal instanceof Fault, String(refusal))
  assert.equal(refusal.code, 'datastore.full', refusal.message)
  assert.match(refusal.message, new RegExp(`${path}/cali.db: the disk is full.*; free space where ${path} lies`))
}

async function holds(store: Datastore, { prefix, count }: { readonly prefix: string; readonly count: number }): Promise<void> {
  const { entries } = await store.list(`${prefix}/`, options)
  assert.equal(entries.length, count)
  const numbers = entries.map(({ key }) => Number(key.slice(prefix.length + 1)))
  assert.deepEqual(
    numbers.toSorted((a, b) => a - b),
    numbers.map((_, at) => at),
  )
}
