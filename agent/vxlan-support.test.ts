import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stableMac } from './vxlan-support.ts'

test('M25: a node has one MAC for ever, of one interface and locally administered; another node has another', () => {
  const a1 = stableMac({ nodeName: 'a1', nodeId: 'one' })
  assert.equal(a1, stableMac({ nodeName: 'a1', nodeId: 'one' }))
  assert.match(a1, /^66(:[0-9a-f]{2}){5}$/)
  assert.notEqual(a1, stableMac({ nodeName: 'a2', nodeId: 'one' }))
  assert.notEqual(a1, stableMac({ nodeName: 'a1', nodeId: 'two' }))
})
