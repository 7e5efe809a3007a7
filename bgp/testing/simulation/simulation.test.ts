/** Many speakers, faults from a seed, and a model that says how it must end; more by npm run simulate. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Fault, type Scenario, scenarioFor } from './faults.ts'
import { expectedTables } from './model.ts'
import { simulate } from './run.ts'
import { shrink } from './shrink.ts'
import { blockOf, sharedPrefix, topologyOf } from './topology.ts'
import type { Tamper } from './world.ts'

/** Seeds that found something once, each with what it was. */
const FOUND: readonly { readonly seed: number; readonly speakers: number; readonly what: string }[] = []

describe('fifty speakers through faults', () => {
  for (let seed = 1; seed <= 7; seed++) test(`seed ${seed}`, () => isRight(scenarioFor(seed, 50)))
})

describe('twelve speakers through faults', () => {
  for (let seed = 1001; seed <= 1040; seed++) test(`seed ${seed}`, () => isRight(scenarioFor(seed, 12)))
})

for (const { seed, speakers, what } of FOUND)
  test(`seed ${seed} of ${speakers}: ${what}`, () => isRight(scenarioFor(seed, speakers)))

describe('reflectors that tell several paths', () => {
  for (const paths of ['all', 2] as const)
    for (let seed = 2001; seed <= 2006; seed++) {
      const { faults } = scenarioFor(seed, 10)
      const shape = { is: 'reflectors', speakers: 10, reflectors: 1 + (seed % 3), paths } as const
      const inside = faults.filter(fault => !('speaker' in fault) || fault.speaker < shape.speakers)
      test(`seed ${seed}, ${paths}`, () => isRight({ seed, shape, faults: inside }))
    }
})

describe('the judge', () => {
  test('finds a speaker that refuses what it should take, and needs no fault for that', async () => {
    const scenario = scenarioFor(7, 8)
    const tamper: Tamper = ({ index }) =>
      index === 3 ? { importFilter: ({ length }) => (length === 24 ? { is: 'refused', why: 'a whim' } : { is: 'accepted' }) } : {}
    const fails = async (each: Scenario) => (await simulate(each, { tamper })).complaint?.is === 'wrong table'
    assert.ok(await fails(scenario))
    const smaller = await shrink(scenario, fails)
    assert.deepEqual(
      smaller.faults.map(({ is }) => is),
      ['announced'],
      'one announcement is all that it takes',
    )
  })

  test('finds a session that does not come back', async () => {
    const scenario: Scenario = {
      seed: 1,
      shape: { is: 'mesh', speakers: 4 },
      faults: [{ is: 'cut', a: 0, b: 1, at: 20_000, until: Number.POSITIVE_INFINITY }],
    }
    assert.equal((await simulate(scenario)).complaint?.is, 'session missing')
  })

  test('finds a stale route that outlives its timers', async () => {
    const off: Fault = { is: 'power-off', speaker: 1, at: 20_000, until: Number.POSITIVE_INFINITY }
    const scenario: Scenario = { seed: 1, shape: { is: 'mesh', speakers: 3 }, faults: [off] }
    const stale = await simulate(scenario, { patience: 10_000 })
    assert.equal(stale.complaint?.is, 'stale route', 'kept until the hold timer says that the peer is gone')
    assert.notEqual((await simulate(scenario)).complaint?.is, 'stale route', 'but no longer')
  })

  test('says the same of the same seed, to the last message', async () => {
    const scenario = scenarioFor(23, 10)
    assert.deepEqual(await simulate(scenario), await simulate(scenario))
  })
})

describe('the model', () => {
  test('prefers the nearest of a fabric, and the lowest router id of a mesh', () => {
    const mesh = topologyOf({ is: 'mesh', speakers: 3 })
    const shared = new Set([sharedPrefix(0)])
    assert.deepEqual(
      expectedTables(mesh, [shared, shared, new Set()]).map(table => table.get(sharedPrefix(0))?.nextHop),
      [undefined, undefined, 0],
    )
    // Two spines, two leaves, a node below each: 0 and 1, 2 and 3, 4 and 5.
    const fabric = topologyOf({ is: 'fabric', speakers: 6, spines: 2, leaves: 2 })
    const tables = expectedTables(fabric, [new Set(), new Set(), new Set(), new Set(), new Set([blockOf(4)]), new Set()])
    assert.deepEqual(
      tables.map(table => table.get(blockOf(4))?.nextHop),
      [2, 2, 4, 0, undefined, 3],
    )
  })

  test('lets a client hear of others past a reflector that has the prefix itself, if it tells all paths', () => {
    const shape = { is: 'reflectors', speakers: 4, reflectors: 1 } as const
    const both = new Set([sharedPrefix(0)])
    const heard = (paths: { readonly paths?: number | 'all' }) =>
      expectedTables(topologyOf({ ...shape, ...paths }), [both, both, both, new Set()])[3]?.get(sharedPrefix(0))
    assert.deepEqual(heard({}), { nextHop: 0, paths: ['0 told by 0'] })
    assert.deepEqual(heard({ paths: 2 }), { nextHop: 0, paths: ['0 told by 0', '1 told by 0'] })
    assert.deepEqual(heard({ paths: 'all' }), { nextHop: 0, paths: ['0 told by 0', '1 told by 0', '2 told by 0'] })
  })

  test('lets a client hear another one through each reflector once', () => {
    const topology = topologyOf({ is: 'reflectors', speakers: 4, reflectors: 2 })
    const tables = expectedTables(topology, [new Set(), new Set(), new Set([blockOf(2)]), new Set()])
    assert.deepEqual(
      tables.map(table => table.get(blockOf(2))?.nextHop),
      [2, 2, undefined, 2],
    )
  })
})

async function isRight(scenario: Scenario): Promise<void> {
  const { complaint } = await simulate(scenario)
  assert.equal(
    complaint,
    undefined,
    `npm run simulate -- --speakers ${scenario.shape.speakers} --seed ${scenario.seed} tells more`,
  )
}
