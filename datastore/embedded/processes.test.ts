/** Several processes open one file: nobody gets what another has, nothing acknowledged is lost, everything is heard. */
import assert from 'node:assert/strict'
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
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
const chance = { clock: systemClock, random: seededRandom(1) }
const options = { signal: new AbortController().signal }

test('1,000 requests at once from 4 processes: all answered, no address twice', { timeout: 60_000 }, async () => {
  await using directory = await temporaryDirectory()
  const path = join(directory.path, 'cali.db')
  await using store = await EmbeddedStore.open(path, chance)
  const pool = { name: 'default', cidr: prefix('10.244.0.0/16'), blockSize: 26, ipipMode: 'Never', disabled: false } as const
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

test('kill -9 of a writer loses no acknowledged write', { timeout: 60_000 }, async () => {
  await using directory = await temporaryDirectory()
  const path = join(directory.path, 'cali.db')
  for (const killAfter of [1, 57, 150]) {
    const writer = child('write', path)
    let acknowledged = -1
    for await (const line of writer.lines) {
      acknowledged = Number(line)
      if (acknowledged % 1000 >= killAfter) writer.process.kill('SIGKILL')
    }
    await using store = await EmbeddedStore.open(path, chance)
    const { entries } = await store.list('/w/', options)
    const numbers = entries.map(({ key }) => Number(key.slice(3)))
    assert.ok(numbers.includes(acknowledged), `${acknowledged} was acknowledged`)
    assert.equal(Math.max(...numbers) + 1, numbers.length, 'nothing is missing in between')
    for (const { key, revision } of entries) await store.delete(key, revision, options)
  }
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
  const process_ = spawn(process.execPath, [PROGRAM, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface(process_.stdout)
  const line = async () => String((await once(lines, 'line'))[0])
  return { process: process_, lines, line }
}
