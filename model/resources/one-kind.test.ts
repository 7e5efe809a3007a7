/** The short way to a kind leads to the same kind as the long one. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { kindNamed, namesOf } from './kinds.ts'
import { NAMES, oneKindNamed } from './one-kind.ts'

test('each name means what it means elsewhere, and of each kind no name is missing', async () => {
  const found = new Set<string>()
  for (const name of NAMES) {
    const kind = kindNamed(name)
    assert.equal(await oneKindNamed(name.toUpperCase()), kind, name)
    for (const other of kind === undefined ? [] : namesOf(kind)) found.add(other)
  }
  assert.deepEqual([...found].sort(), [...NAMES].sort())
  assert.equal(await oneKindNamed('tier'), undefined)
})
