/** Blocks that a group has said: as many as are in use, and not many more, whatever their size. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OutSets } from './out-sets.ts'

test('few long blocks are too many as well as many short ones; what is in use is kept', () => {
  const sets = new OutSets({ kind: 'internal', asnOctets: 4 })
  let said = 0
  while (!sets.isFull) {
    const block = new Uint8Array(60_000)
    new DataView(block.buffer).setUint32(0, said++)
    sets.take(block, block.length)
  }
  assert.ok(said < 200, `${said} blocks`)
  sets.sweep(id => id === 5)
  assert.ok(!sets.isFull)
  assert.equal(new DataView(sets.saying(5).block.slice().buffer).getUint32(0), 5)
})
