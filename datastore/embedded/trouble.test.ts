/** Every refusal names the file and what mends it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fault } from '@network/base/run/fault.ts'
import { isBusy, troubleOf } from './trouble.ts'

const SQLITE: readonly (readonly [number, string])[] = [
  [5, 'datastore.locked'],
  [261, 'datastore.locked'],
  [8, 'datastore.forbidden'],
  [14, 'datastore.forbidden'],
  [11, 'datastore.corrupt'],
  [779, 'datastore.corrupt'],
  [26, 'datastore.not-a-database'],
  [13, 'datastore.full'],
  [778, 'datastore.io'],
]

for (const [errcode, code] of SQLITE)
  test(`SQLite's ${errcode} is ${code}`, () => {
    const trouble = troubleOf(Object.assign(new Error('as SQLite says'), { errcode }), { doing: 'list', path: '/d/cali.db' })
    assert.ok(trouble instanceof Fault)
    assert.equal(trouble.code, code)
    assert.equal(trouble.detail.on, '/d/cali.db')
    assert.ok(trouble.detail.mend !== undefined)
  })

test('busy is what passes', () => {
  assert.ok(isBusy(Object.assign(new Error('locked'), { errcode: 517 })))
  assert.ok(!isBusy(Object.assign(new Error('damaged'), { errcode: 11 })))
  assert.ok(!isBusy(new Error('a bug')))
})

test('a bug stays a bug', () => {
  const bug = new TypeError('undefined is not a function')
  assert.equal(troubleOf(bug, { doing: 'list', path: '/d/cali.db' }), bug)
})
