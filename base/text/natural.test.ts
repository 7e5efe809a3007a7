/** Names in the order of people. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { byNature } from './natural.ts'

test('numbers in names count as numbers', () => {
  const sorted = ['a', 'a1', 'a1-p2', 'a1-p10', 'a2', 'a10', 'a10b', 'b', 'node-2', 'node-10', 'node-10-eth0', 'node-x']
  assert.deepEqual(sorted.toReversed().sort(byNature), sorted)
  assert.equal(byNature('a01', 'a1'), -byNature('a1', 'a01'))
})

test('it is an order: of one name to itself, of two both ways, of three through the middle', () => {
  const name = fc.string({ unit: fc.constantFrom('a', 'b', '-', '0', '1', '9'), maxLength: 6 })
  fc.assert(
    fc.property(name, name, name, (a, b, c) => {
      assert.equal(byNature(a, a), 0)
      assert.equal(Math.sign(byNature(a, b)), -Math.sign(byNature(b, a)) + 0)
      assert.ok(a === b || byNature(a, b) !== 0)
      if (byNature(a, b) <= 0 && byNature(b, c) <= 0) assert.ok(byNature(a, c) <= 0)
    }),
  )
})
