/** Spans of time in which prefixes were told, over more batches than 31 bits count. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { anyPrefix, formatAnyPrefix } from '@network/base/net/any-prefix.ts'
import { Spans } from './spans.ts'

const FOUR = anyPrefix('203.0.113.0/24')
const SIX = anyPrefix('2001:db8::/48')

test('what ended is told once, of both families', () => {
  const spans = new Spans()
  spans.makeRoom(2)
  spans.begin(0, 5)
  spans.begin(1, 7)
  spans.end(0, FOUR, 3)
  spans.end(1, SIX, 0)
  const told = [...spans.takeEnded().spans()].map(({ prefix, since, exclusion }) => [formatAnyPrefix(prefix), since, exclusion])
  assert.deepEqual(told, [
    ['203.0.113.0/24', 5, 3],
    ['2001:db8::/48', 7, 0],
  ])
  assert.equal(spans.takeEnded().size, 0)
})

test('after ten thousand million batches old is still old and new is new', () => {
  const spans = new Spans()
  spans.makeRoom(3)
  spans.begin(0, 1)
  for (let batch = 1e9; batch <= 1e10; batch += 1e9) {
    spans.begin(1, batch)
    spans.age(batch)
    assert.ok(spans.sinceOf(0) < batch, `${batch}`)
    assert.equal(spans.sinceOf(1), batch)
  }
  spans.begin(2, 1e10 + 5)
  spans.end(2, FOUR, 0)
  assert.equal([...spans.takeEnded().spans()][0]?.since, 1e10 + 5)
})
