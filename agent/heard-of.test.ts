/** What the agent tells of what it has heard of. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HeardOf, keysIn } from './heard-of.ts'

const POOL = '/cali/v1/ippools/default'

test('the revision of what people write, null for what is not there, nothing of what agents write', () => {
  const heard = new HeardOf()
  const keys = [POOL, '/cali/v1/ippools/other', '/cali/v1/ipamblocks/10-244-0-0-26', '/cali/v1/nodestatuses/a', '/elsewhere']
  for (const key of keys.filter(one => !one.endsWith('other'))) heard.apply({ key, document: {}, revision: '7' })
  assert.deepEqual(heard.of(keys), { [POOL]: '7', '/cali/v1/ippools/other': null })
  heard.apply({ key: POOL, document: {}, revision: '8' })
  assert.deepEqual(heard.of([POOL]), { [POOL]: '8' })
  heard.apply({ key: POOL, document: undefined })
  assert.deepEqual(heard.of([POOL]), { [POOL]: null })
})

test('a question that is no list of keys has no answer', () => {
  for (const body of ['', 'no', '{}', '[7, null]']) assert.deepEqual(keysIn(body), [])
  assert.deepEqual(keysIn(`["${POOL}", 7]`), [POOL])
})
