import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '@network/base/testing/manual-clock.ts'
import { seededRandom } from '@network/base/testing/seeded-random.ts'
import { millis } from '@network/base/time/units.ts'
import * as fc from 'fast-check'
import { Reconciler } from './reconciler.ts'
import type { Outcome, Step, Table } from './table.ts'

interface Row {
  readonly owner: 'us' | 'them'
  readonly value: string
}

class FakeTable implements Table<string, Row> {
  readonly name = 'fake'
  readonly rows = new Map<string, Row>()
  readonly log: string[] = []
  refuse = new Set<string>()

  list(wanted: ReadonlyMap<string, string>): ReadonlyMap<string, Row> {
    return new Map([...this.rows].filter(([key, row]) => row.owner === 'us' || wanted.has(key)))
  }
  same(want: string, have: Row): boolean {
    return have.owner === 'us' && have.value === want
  }
  foreign(have: Row): string | undefined {
    return have.owner === 'them' ? have.value : undefined
  }
  describe(have: Row): string {
    return have.value
  }
  apply(steps: readonly Step<string, Row>[]): Outcome[] {
    return steps.map(({ key, want }) => {
      if (this.refuse.has(key)) return { is: 'failed', says: `${key} refused` }
      this.log.push(want === undefined ? `remove ${key}` : `put ${key}=${want}`)
      if (want === undefined) this.rows.delete(key)
      else this.rows.set(key, { owner: 'us', value: want })
      return { is: 'done' }
    })
  }
}

function make(): { table: FakeTable; clock: ManualClock; reconciler: Reconciler<string, Row> } {
  const table = new FakeTable()
  const clock = new ManualClock()
  return { table, clock, reconciler: new Reconciler(table, { clock, random: seededRandom(1) }) }
}

function pass(reconciler: Reconciler<string, Row>, mayRemove: boolean) {
  const repairs = reconciler.observe()
  if (reconciler.upsert()) reconciler.observe()
  if (mayRemove && reconciler.remove()) reconciler.observe()
  reconciler.settle()
  return repairs
}

test('rows of ours that nobody wants stay until removal is allowed', () => {
  const { table, reconciler } = make()
  table.rows.set('old', { owner: 'us', value: '1' })
  reconciler.desireAll(new Map([['new', '2']]))
  pass(reconciler, false)
  assert.deepEqual([...table.rows.keys()], ['old', 'new'])
  pass(reconciler, true)
  assert.deepEqual([...table.rows.keys()], ['new'])
})

test("somebody else's row at our key is reported, neither overwritten nor removed", () => {
  const { table, reconciler } = make()
  table.rows.set('key', { owner: 'them', value: 'proto static' })
  reconciler.desireAll(new Map([['key', 'ours']]))
  pass(reconciler, true)
  assert.deepEqual(reconciler.stateOf('key'), { is: 'conflict', says: 'proto static' })
  reconciler.desireAll(new Map())
  pass(reconciler, true)
  assert.deepEqual(table.log, [])
  assert.deepEqual(reconciler.stale, [])
})

test('what was right and is meddled with is repaired and counted; what we change ourselves is not', () => {
  const { table, reconciler } = make()
  reconciler.desireAll(new Map([['key', '1']]))
  assert.deepEqual(pass(reconciler, true), [])
  table.rows.delete('key')
  assert.deepEqual(pass(reconciler, true), [{ object: 'fake key', found: 'missing' }])
  table.rows.set('key', { owner: 'us', value: 'meddled' })
  assert.deepEqual(pass(reconciler, true), [{ object: 'fake key', found: 'meddled' }])
  reconciler.desireAll(new Map([['key', '2']]))
  assert.deepEqual(pass(reconciler, true), [])
  assert.equal(table.rows.get('key')?.value, '2')
})

test('a row that is already as wanted is not written: a restarted agent changes nothing', () => {
  const { table, reconciler } = make()
  table.rows.set('key', { owner: 'us', value: '1' })
  reconciler.desireAll(new Map([['key', '1']]))
  pass(reconciler, true)
  assert.deepEqual(table.log, [])
  assert.equal(reconciler.isInstalled('key'), true)
})

test('a failed key is tried again with growing pauses and spoils no other', () => {
  const { table, clock, reconciler } = make()
  table.refuse.add('bad')
  reconciler.desireAll(
    new Map([
      ['bad', '1'],
      ['good', '1'],
    ]),
  )
  pass(reconciler, true)
  assert.deepEqual(table.log, ['put good=1'])
  assert.deepEqual(reconciler.stateOf('bad'), { is: 'failed', says: 'bad refused' })
  const first = reconciler.nextRetry ?? assert.fail('no retry planned')
  table.refuse.clear()
  pass(reconciler, true)
  assert.equal(table.rows.has('bad'), false, 'not before its time')
  clock.advance(millis(first - clock.now()))
  pass(reconciler, true)
  assert.equal(table.rows.get('bad')?.value, '1')
  assert.equal(reconciler.nextRetry, undefined)
})

test('whatever strangers do in between, the table ends as wanted and theirs is untouched', () => {
  const keys = fc.constantFrom('a', 'b', 'c', 'd')
  const wish = fc.dictionary(keys, fc.constantFrom('1', '2', '3'))
  const meddling = fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd', 'e'), value: fc.constantFrom('x', undefined) })
  fc.assert(
    fc.property(fc.array(fc.record({ wish, meddling: fc.array(meddling, { maxLength: 4 }) }), { maxLength: 6 }), rounds => {
      const { table, reconciler } = make()
      table.rows.set('theirs', { owner: 'them', value: 'bait' })
      let wanted = new Map<string, string>()
      for (const { wish, meddling } of rounds) {
        wanted = new Map(Object.entries(wish))
        reconciler.desireAll(wanted)
        for (const { key, value } of meddling)
          if (value === undefined) table.rows.delete(key)
          else table.rows.set(key, { owner: 'us', value })
        pass(reconciler, true)
      }
      const ours = new Map([...table.rows].filter(([, row]) => row.owner === 'us').map(([key, row]) => [key, row.value]))
      if (rounds.length > 0) assert.deepEqual(new Map([...ours].sort()), new Map([...wanted].sort()))
      assert.equal(table.rows.get('theirs')?.value, 'bait')
    }),
  )
})

test('what the kernel calls done and is not is tried again with pauses, not for ever at once', () => {
  const { table, reconciler } = make()
  table.rows.set('key', { owner: 'us', value: 'stuck' })
  const stuck = table.apply.bind(table)
  table.apply = steps => {
    const outcomes = stuck(steps)
    table.rows.set('key', { owner: 'us', value: 'stuck' })
    return outcomes
  }
  reconciler.desireAll(new Map([['key', '1']]))
  for (let pass = 0; pass < 5; pass++) {
    reconciler.observe()
    reconciler.upsert()
  }
  assert.deepEqual(table.log, ['put key=1'])
  reconciler.observe()
  assert.deepEqual(reconciler.stateOf('key'), { is: 'failed', says: 'the kernel says that it is done, and it is not' })
})

test('trouble ends with its key: mended by somebody else or taken by a stranger, nobody is woken for it', () => {
  const { table, clock, reconciler } = make()
  table.refuse = new Set(['mended', 'taken'])
  reconciler.desireAll(
    new Map([
      ['mended', '1'],
      ['taken', '1'],
    ]),
  )
  pass(reconciler, true)
  assert.notEqual(reconciler.nextRetry, undefined)
  table.rows.set('mended', { owner: 'us', value: '1' })
  table.rows.set('taken', { owner: 'them', value: 'theirs' })
  clock.advance(millis(60_000))
  pass(reconciler, true)
  assert.equal(reconciler.nextRetry, undefined)
  assert.deepEqual(reconciler.stateOf('taken'), { is: 'conflict', says: 'theirs' })
})

test('news make what failed due at once', () => {
  const { table, clock, reconciler } = make()
  table.refuse.add('key')
  reconciler.desireAll(new Map([['key', '1']]))
  for (let tried = 0; tried < 10; tried++) {
    pass(reconciler, true)
    clock.advance(millis(60_000))
  }
  pass(reconciler, true)
  table.refuse.clear()
  pass(reconciler, true)
  assert.equal(table.rows.has('key'), false, 'not before its time')
  reconciler.retrySoon()
  pass(reconciler, true)
  assert.equal(table.rows.get('key')?.value, '1')
})
