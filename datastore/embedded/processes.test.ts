/** Several processes open one file: nobody gets what another has, nothing acknowledged is lost, everything is heard. */
import assert from 'node:assert/strict'
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import type { Readable, Writable } from 'node:stream'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { prefix } from '@network/base/net/prefix.ts'
import { seededRandom } from '@network/base/testing/seeded-random.ts'
import { systemClock } from '@network/base/time/clock.ts'
import { millis } from '@network/base/time/units.ts'
import { ipamUsage } from '../ipam/usage.ts'
import { createPool } from '../pools.ts'
import { collect } from '../testing/contract/promise.ts'
import { temporaryDirectory } from '../testing/directory.ts'
import { EmbeddedStore } from './store.ts'

const PROGRAM = fileURLToPath(new URL('../testing/children.ts', import.meta.url))
const DYING = fileURLToPath(new URL('../testing/dying.ts', import.meta.url))
const chance = { clock: systemClock, random: seededRandom(1) }
const options = { signal: new AbortController().signal }

test('1,000 requests at once from 4 processes: all answered, no address twice', { timeout: 60_000 }, async () => {
  await using directory = await temporaryDirectory()
  const path = join(directory.path, 'cali.db')
  await using store = await EmbeddedStore.open(path, chance)
  const pool = {
    name: 'default',
    cidr: prefix('10.244.0.0/16'),
    blockSize: 26,
    ipipMode: 'Never',
    vxlanMode: 'Never',
    natOutgoing: false,
    disabled: false,
  } as const
  assert.equal((await createPool(store, pool, options)).is, 'created')
  const agents = ['a', 'b', 'c', 'd'].map(node => child('assign', path, node, '250'))
  await Promise.all(agents.map(agent => agent.line()))
  for (const agent of agents) agent.process.stdin.end('go\n')
  const answers: string[][] = await Promise.all(agents.map(async agent => JSON.parse(await agent.line())))
  assert.equal(new Set(answers.flat()).size, 1000)
  assert.ok(answers.flat().every(address => address.startsWith('10.244.')))
  const usage = await ipamUsage(store, options)
  assert.equal(usage.addresses.length, 1000)
  assert.equal(usage.blocks.length, 16, 'four blocks a node and no more')
  assert.ok(usage.blocks.every(({ affinity }) => affinity === 'confirmed'))
})

test('kill -9 of a writer in full flight loses no acknowledged write', { timeout: 60_000 }, async () => {
  for (const killAfter of [1, 57, 98, 99, 150]) {
    await using directory = await temporaryDirectory()
    const path = join(directory.path, 'cali.db')
    const writer = child('write', path)
    let acknowledged = -1
    for await (const line of writer.lines) {
      acknowledged = Number(line)
      if (acknowledged >= killAfter) writer.process.kill('SIGKILL')
    }
    assert.ok(acknowledged >= killAfter)
    await isSound(path, acknowledged + 1)
  }
})

/** What a writer asks of SQLite: ten things to make the store, five to write. The hundredth write forgets old changes as well. */
const OPENING = 10
const WRITE = 5
const DEATHS = [
  { when: 'the store is made, and the first writes', from: 1, to: OPENING + 2 * WRITE + 1 },
  { when: 'old changes are forgotten', from: OPENING + 99 * WRITE, to: OPENING + 101 * WRITE + 2 },
]

for (const { when, from, to } of DEATHS)
  test(`kill -9 at every step while ${when}: all that was acknowledged is there, and the store goes on`, {
    timeout: 60_000,
  }, async () => {
    const steps = Array.from({ length: to - from }, (_, at) => from + at)
    const acknowledged = new Set<number>()
    for (const step of steps) acknowledged.add(await dieAt(step))
    const lived = await dieAt(0)
    assert.equal(lived, 110, 'P0: without the signal all is written')
    assert.ok(acknowledged.size > 1 && !acknowledged.has(lived), `died with ${[...acknowledged]} acknowledged`)
  })

/** Lets a writer die after its n-th step, sees that the store is sound, and returns how many writes were acknowledged. */
async function dieAt(step: number): Promise<number> {
  await using directory = await temporaryDirectory()
  const path = join(directory.path, 'cali.db')
  const writer = started(DYING, path, String(step), '50', '110')
  let acknowledged = 0
  for await (const line of writer.lines) if (!line.startsWith('done')) acknowledged += 1
  await isSound(path, acknowledged)
  return acknowledged
}

/** All acknowledged writes are there, at most one that was on its way, nothing is damaged, and no revision comes again. */
async function isSound(path: string, acknowledged: number): Promise<void> {
  await using store = await EmbeddedStore.open(path, chance)
  const { entries, revision } = await store.list('', options)
  const numbers = entries.map(({ key }) => Number(key.slice('/w/'.length))).toSorted((a, b) => a - b)
  assert.ok([acknowledged, acknowledged + 1].includes(numbers.length), `${acknowledged} acknowledged, ${numbers.length} there`)
  assert.deepEqual(
    numbers,
    numbers.map((_, at) => at),
  )
  const written = await store.create('/after', 1, options)
  assert.ok(written.is === 'written')
  assert.ok(entries.every(entry => Number(entry.revision) < Number(written.revision)))
  assert.deepEqual(
    (await collect(store, '', revision, 1)).map(({ key }) => key),
    ['/after'],
  )
  await store[Symbol.asyncDispose]()
  using db = new DatabaseSync(path)
  assert.deepEqual({ ...db.prepare('PRAGMA integrity_check').get() }, { integrity_check: 'ok' })
}

test('4 processes count on one key and claim the same ones: nothing is lost or had twice, a watch hears every number', {
  timeout: 60_000,
}, async () => {
  await using directory = await temporaryDirectory()
  const path = join(directory.path, 'cali.db')
  await using store = await EmbeddedStore.open(path, chance)
  await store.create('/n', 0, options)
  const { revision } = await store.list('/n', options)
  const counters = ['1', '2', '3', '4'].map(() => child('count', path, '50'))
  await Promise.all(counters.map(counter => counter.line()))
  const heard = collect(store, '/n', revision, 200)
  const claims = counters.map(counter => {
    counter.process.stdin.end('go\n')
    return counter.line()
  })
  assert.deepEqual(
    (await heard).map(({ entry }) => entry?.document),
    Array.from({ length: 200 }, (_, at) => at + 1),
  )
  const claimed = (await Promise.all(claims)).reduce((sum, line) => sum + Number(line), 0)
  assert.equal(claimed, 50, 'each of 50 keys is created by one of four')
})

test('two processes hear each other in order, long before the poll', { timeout: 60_000 }, async () => {
  await using directory = await temporaryDirectory()
  const path = join(directory.path, 'cali.db')
  await using store = await EmbeddedStore.open(path, chance)
  const count = 100
  const echo = child('echo', path, String(count))
  await echo.line()
  const { revision } = await store.list('/pong/', options)
  const began = systemClock.now()
  for (let n = 0; n < count; n++) {
    await store.create(`/ping/${n}`, n, options)
    const heard = await collect(store, '/pong/', revision, n + 1)
    assert.equal(heard[n]?.entry?.document, n)
  }
  const took = systemClock.now() - began
  assert.ok(took < count * millis(100), `${took / count} ms a round trip; by polling it would be 250`)
})

interface Child {
  readonly process: ChildProcessByStdio<Writable, Readable, null>
  readonly lines: AsyncIterable<string>
  line(): Promise<string>
}

function child(...args: readonly string[]): Child {
  return started(PROGRAM, ...args)
}

function started(program: string, ...args: readonly string[]): Child {
  const process_ = spawn(process.execPath, [program, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface(process_.stdout)
  const line = async () => String((await once(lines, 'line'))[0])
  return { process: process_, lines, line }
}
