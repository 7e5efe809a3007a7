import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { Cursor, WireFault } from './cursor.ts'
import { Writer } from './writer.ts'

test('a writer grows past its capacity, whatever is written', () => {
  const chunk = fc.oneof(
    fc.record({ is: fc.constant('bytes' as const), bytes: fc.uint8Array({ maxLength: 40 }) }),
    fc.record({ is: fc.constantFrom('u8' as const, 'u16' as const, 'u32' as const), value: fc.integer({ min: 0, max: 255 }) }),
  )
  fc.assert(
    fc.property(fc.array(chunk), fc.constantFrom('network' as const, 'host' as const), (chunks, order) => {
      const writer = new Writer(order, 4)
      for (const one of chunks) {
        if (one.is === 'bytes') writer.bytes(one.bytes)
        else writer[one.is](one.value)
      }
      const cursor = new Cursor(writer.finish(), order)
      for (const one of chunks) {
        if (one.is === 'bytes') assert.deepEqual([...cursor.take(one.bytes.length)], [...one.bytes])
        else assert.equal(cursor[one.is](), one.value)
      }
      assert.equal(cursor.left, 0)
    }),
  )
})

test('a cursor never clamps: what is not there is a fault', () => {
  const cursor = new Cursor(new Uint8Array([1, 2, 3]))
  assert.equal(cursor.u16(), 0x0102)
  assert.throws(() => cursor.u16(), WireFault)
  assert.throws(() => cursor.take(-1), WireFault)
  assert.equal(cursor.u8(), 3)
  const outer = new Cursor(new Uint8Array([1, 2, 3, 4]))
  const inner = outer.sub(2)
  assert.throws(() => inner.u32(), WireFault, 'a nested length is a bound')
  assert.equal(outer.u8(), 3)
})

test('a buffer that is reused shows nothing of what it held', () => {
  const writer = new Writer()
  writer.u32(0xffffffff).reset()
  assert.deepEqual([...writer.u8(1).align(4).finish()], [1, 0, 0, 0])
})

test('a cursor over a part of a buffer reads that part and no octet beyond', () => {
  const buffer = new Uint8Array([9, 9, 1, 2, 3, 9])
  const part = new Cursor(buffer.subarray(1), 'network', 1, 4)
  assert.deepEqual([part.at, part.left, part.from], [0, 3, 1])
  const inner = part.sub(2)
  assert.deepEqual([inner.u16(), inner.left, inner.at], [0x0102, 0, 2])
  assert.throws(() => inner.u8(), WireFault)
  assert.deepEqual([...part.rest()], [3])
  for (const [from, end] of [
    [-1, 2],
    [3, 2],
    [0, 7],
  ] as const)
    assert.throws(() => new Cursor(buffer, 'network', from, end), WireFault)
})

test('words are written as they lie in memory, behind octets and past the end of a buffer of any size', () => {
  const words = Int32Array.of(0x01020304, -1, 7)
  for (const capacity of [0, 1, 7, 64]) {
    const writer = new Writer('host', capacity)
    writer.u32(5).words(words).patchU16be(4, 0xabcd)
    writer.words(words)
    const expected = new Int32Array([5, ...words, ...words])
    new DataView(expected.buffer).setUint16(4, 0xabcd)
    assert.deepEqual(new Int32Array(writer.finish().buffer), expected)
  }
})
