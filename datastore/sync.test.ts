/** List and watch as one stream: true differences only, and honest about its age. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turnOfEventLoop } from 'node:timers/promises'
import { ManualClock } from '@network/base/testing/manual-clock.ts'
import { seededRandom } from '@network/base/testing/seeded-random.ts'
import { millis } from '@network/base/time/units.ts'
import fc from 'fast-check'
import type { Datastore, Options } from './port.ts'
import { type SyncEvent, sync } from './sync.ts'
import { MemoryStore } from './testing/memory.ts'

const options: Options = { signal: new AbortController().signal }

test('first what is there, then in sync, then each change', async () => {
  const store = new MemoryStore()
  await store.create('/cali/a', 1, options)
  await store.create('/other', 1, options)
  const reading = read(store)
  assert.deepEqual(await reading.next(), { is: 'changes', changes: [{ key: '/cali/a', document: 1, revision: '1' }] })
  assert.deepEqual(await reading.next(), { is: 'in-sync' })
  await write(store, '/cali/b', 2)
  assert.deepEqual(await reading.next(), { is: 'changes', changes: [{ key: '/cali/b', document: 2, revision: '3' }] })
  await write(store, '/cali/b', undefined)
  assert.deepEqual(await reading.next(), { is: 'changes', changes: [{ key: '/cali/b', document: undefined }] })
  await reading.end()
})

test('an empty store is in sync at once', async () => {
  const reading = read(new MemoryStore())
  assert.deepEqual(await reading.next(), { is: 'in-sync' })
  await reading.end()
})

test('ten changes of one key that nobody took yet are one', async () => {
  const store = new MemoryStore()
  const reading = read(store)
  await reading.next()
  for (let n = 0; n < 10; n++) {
    await write(store, '/cali/a', n)
    await turnOfEventLoop()
  }
  assert.deepEqual(await reading.next(), { is: 'changes', changes: [{ key: '/cali/a', document: 9, revision: '10' }] })
  await reading.end()
})

test('a store that fails is stale, and when it answers again only the difference is told', async () => {
  const store = new MemoryStore()
  for (const key of ['/cali/same', '/cali/gone', '/cali/other']) await write(store, key, 1)
  const reading = read(store)
  await inSync(reading)
  store.break('the cable is out')
  assert.deepEqual(await reading.next(), {
    is: 'stale',
    since: '2026-01-01T00:00:00.000Z',
    error: 'cannot reach memory:: the cable is out',
  })
  store.mend()
  await write(store, '/cali/gone', undefined)
  await write(store, '/cali/other', 2)
  await write(store, '/cali/new', 1)
  const { is, changes } = await passing(reading)
  assert.equal(is, 'changes')
  assert.deepEqual(
    new Map(changes.map(({ key, document }) => [key, document])),
    new Map([
      ['/cali/gone', undefined],
      ['/cali/other', 2],
      ['/cali/new', 1],
    ]),
  )
  assert.deepEqual(await reading.next(), { is: 'in-sync' })
  await reading.end()
})

test('a later list comes as one difference, however many pages it has: what is between two moments never was', async () => {
  const store = new MemoryStore()
  for (let n = 0; n < 9; n++) await write(store, `/cali/${n}`, 'before')
  const reading = read(store)
  await inSync(reading)
  for (let n = 0; n < 9; n++) await write(store, `/cali/${n}`, 'after')
  store.forget()
  const { changes } = await passing(reading)
  assert.deepEqual(
    changes.map(({ document }) => document),
    Array.from({ length: 9 }, () => 'after'),
  )
  await reading.end()
})

test('a store that fails from the beginning is stale, then in sync', async () => {
  const store = new MemoryStore()
  store.break('not yet')
  const reading = read(store)
  assert.equal((await reading.next()).is, 'stale')
  store.mend()
  const next = reading.next()
  await advanceUntil(next, reading.clock)
  assert.deepEqual(await next, { is: 'in-sync' })
  await reading.end()
})

test('after a compaction it lists again and says nothing that is known, and is never stale', async () => {
  const store = new MemoryStore()
  await write(store, '/cali/a', 1)
  const reading = read(store)
  await reading.next()
  await reading.next()
  store.forget()
  await write(store, '/cali/b', 2)
  store.forget()
  const next = reading.next()
  await advanceUntil(next, reading.clock)
  assert.deepEqual(await next, { is: 'changes', changes: [{ key: '/cali/b', document: 2, revision: '2' }] })
  await reading.end()
})

test('it ends when told, whether it waits for the reader, the store or the clock', async () => {
  for (const trouble of [() => undefined, (store: MemoryStore) => store.break('gone')]) {
    const store = new MemoryStore()
    const reading = read(store)
    await reading.next()
    trouble(store)
    await reading.end()
  }
})

test('a store that is closed ends it: there is nothing to wait for', async () => {
  const store = new MemoryStore()
  const reading = read(store)
  await reading.next()
  await store[Symbol.asyncDispose]()
  await assert.rejects(reading.next(), /the stream has ended/)
})

test('a reader that stops reading ends the watch', async () => {
  const store = new MemoryStore()
  for await (const event of sync(store, { prefix: '/cali/', clock: new ManualClock(), random: seededRandom(1), ...options }))
    if (event.is === 'in-sync') break
})

test('whatever happens, the reader ends with what is in the store', async () => {
  const step = fc.oneof(
    fc.record({ key: fc.nat(4), value: fc.option(fc.nat(3), { nil: undefined }) }),
    fc.constantFrom('break' as const, 'mend' as const, 'forget' as const, 'look' as const),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async steps => {
      const store = new MemoryStore()
      const reading = read(store)
      const mirror = new Map<string, unknown>()
      const told: Promise<void> = (async () => {
        for (;;) {
          const event = await reading.next()
          if (event.is !== 'changes') continue
          for (const { key, document } of event.changes) {
            if (document === undefined) assert.ok(mirror.delete(key), `${key} went twice`)
            else mirror.set(key, document)
          }
        }
      })().catch(reason => assert.match(String(reason), /has ended/))
      for (const now of steps) {
        if (now === 'break') store.break('now')
        else if (now === 'mend') store.mend()
        else if (now === 'forget') store.forget()
        else if (now === 'look') await turnOfEventLoop()
        else await write(store, `/cali/${now.key}`, now.value).catch(() => undefined)
        reading.clock.advance(millis(50))
      }
      store.mend()
      const same = () =>
        JSON.stringify([...mirror].sort()) ===
        JSON.stringify([...store.entries.values()].map(one => [one.key, one.document]).sort())
      for (let tries = 0; !same() && tries < 100; tries++) {
        reading.clock.advance(millis(5000))
        await turnOfEventLoop()
      }
      assert.deepEqual([...mirror].sort(), [...store.entries.values()].map(one => [one.key, one.document]).sort())
      await reading.end()
      await told
    }),
    { numRuns: 100 },
  )
})

interface Reading {
  readonly clock: ManualClock
  next(): Promise<SyncEvent>
  /** Aborts, and proves that the stream ends. */
  end(): Promise<void>
}

function read(store: Datastore): Reading {
  const clock = new ManualClock()
  const ending = new AbortController()
  const stream = sync(store, { prefix: '/cali/', clock, random: seededRandom(1), signal: ending.signal })
  const next = async () => {
    const { value, done } = await stream.next()
    if (done) throw new Error('the stream has ended')
    return value
  }
  const end = async () => {
    ending.abort()
    while (!(await stream.next()).done) assert.ok(ending.signal.aborted)
  }
  return { clock, next, end }
}

/** Whatever parts the first list comes in. */
async function inSync({ next }: Reading): Promise<void> {
  while ((await next()).is !== 'in-sync');
}

async function passing({ next, clock }: Reading): Promise<Extract<SyncEvent, { is: 'changes' }>> {
  const event = next()
  await advanceUntil(event, clock)
  const arrived = await event
  assert.ok(arrived.is === 'changes', arrived.is)
  return arrived
}

async function advanceUntil(promise: Promise<unknown>, clock: ManualClock): Promise<void> {
  let isSettled = false
  const settled = promise.then(() => {
    isSettled = true
  })
  for (; !isSettled; await turnOfEventLoop()) clock.advance(millis(100))
  await settled
}

async function write(store: Datastore, key: string, document: unknown): Promise<void> {
  const present = await store.get(key, options)
  if (document === undefined) {
    if (present !== undefined) await store.delete(key, present.revision, options)
  } else if (present === undefined) await store.create(key, document, options)
  else await store.update(key, document, present.revision, options)
}
