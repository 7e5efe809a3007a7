/** The arithmetic of blocks, against plain sets. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatIpv4, ipv4, toIpv4 } from '@network/base/net/ipv4.ts'
import { contains, covers, formatPrefix, prefix, sizeOf, toPrefix } from '@network/base/net/prefix.ts'
import fc from 'fast-check'
import {
  addressAt,
  allocate,
  blockAt,
  blockCount,
  blockOf,
  blocksFor,
  emptyBlock,
  ordinalFor,
  ordinalOf,
  release,
} from './blocks.ts'

const pools = fc
  .record({ address: fc.nat(0xffffffff), length: fc.integer({ min: 12, max: 32 }), more: fc.nat(8) })
  .map(({ address, length, more }) => ({
    cidr: toPrefix(toIpv4(address), length),
    blockSize: Math.max(20, Math.min(32, length + more)),
  }))

const CUT: readonly (readonly [string, number, number, string, string])[] = [
  ['10.244.0.0/16', 26, 1024, '10.244.0.0/26', '10.244.255.192/26'],
  ['10.244.7.0/26', 26, 1, '10.244.7.0/26', '10.244.7.0/26'],
  ['192.168.0.0/24', 32, 256, '192.168.0.0/32', '192.168.0.255/32'],
  ['255.255.0.0/16', 20, 16, '255.255.0.0/20', '255.255.240.0/20'],
]
for (const [cidr, blockSize, count, first, last] of CUT)
  test(`${cidr} in /${blockSize} is ${count} blocks, ${first} to ${last}`, () => {
    const pool = { cidr: prefix(cidr), blockSize }
    assert.equal(blockCount(pool), count)
    assert.equal(formatPrefix(blockAt(pool, 0)), first)
    assert.equal(formatPrefix(blockAt(pool, count - 1)), last)
  })

test('every block of a pool comes once, whatever the node', () => {
  fc.assert(
    fc.property(pools, fc.string(), (pool, node) => {
      const blocks = [...blocksFor(node, pool)]
      assert.equal(new Set(blocks.map(formatPrefix)).size, blockCount(pool))
      assert.equal(blocks.length, blockCount(pool))
      assert.ok(blocks.every(block => covers(pool.cidr, block) && block.length === pool.blockSize))
    }),
    { numRuns: 50 },
  )
})

test('64 nodes with names alike begin at different blocks, nearly all', () => {
  const pool = { cidr: prefix('10.244.0.0/16'), blockSize: 26 }
  const firsts = Array.from({ length: 64 }, (_, n) => blocksFor(`node-${n}`, pool).next().value)
  assert.ok(new Set(firsts.map(block => block && formatPrefix(block))).size >= 58)
})

test('an address and its ordinal are each other’s inverse', () => {
  fc.assert(
    fc.property(pools, fc.nat(), (pool, nth) => {
      const address = toIpv4(pool.cidr.address + (nth % sizeOf(pool.cidr)))
      const block = blockOf(pool, address)
      assert.ok(block !== undefined && contains(block, address))
      const ordinal = ordinalOf(block, address)
      assert.ok(ordinal >= 0 && ordinal < sizeOf(block))
      assert.equal(addressAt(block, ordinal), address)
    }),
  )
  assert.equal(blockOf({ cidr: prefix('10.244.0.0/16'), blockSize: 26 }, ipv4('10.245.0.0')), undefined)
})

test('the first and the last address of a block are given out like the others', () => {
  let block = emptyBlock(prefix('10.244.7.0/30'), 'a')
  const given: string[] = []
  for (const handle of ['w', 'x', 'y', 'z']) {
    const taken = allocate(block, { handle, node: 'a', use: 'test' })
    assert.ok(taken !== undefined)
    block = taken.block
    given.push(formatIpv4(addressAt(block.cidr, taken.ordinal)))
  }
  assert.deepEqual(given, ['10.244.7.0', '10.244.7.1', '10.244.7.2', '10.244.7.3'])
  assert.equal(allocate(block, { handle: 'v', node: 'a', use: 'test' }), undefined)
})

test('what was freed longest ago is reused first, and nothing is lost or doubled', () => {
  const steps = fc.array(fc.oneof(fc.record({ take: fc.nat(9) }), fc.record({ give: fc.nat(9) })), { maxLength: 60 })
  fc.assert(
    fc.property(steps, commands => {
      let block = emptyBlock(prefix('10.0.0.0/29'), 'a')
      const free = Array.from({ length: 8 }, (_, n) => n)
      const taken = new Map<string, number>()
      for (const command of commands) {
        if ('take' in command) {
          const handle = String(command.take)
          if (taken.has(handle)) continue
          const result = allocate(block, { handle, node: 'a', use: 'test' })
          assert.equal(result?.ordinal, free[0])
          if (result === undefined) continue
          taken.set(handle, result.ordinal)
          free.shift()
          block = result.block
        } else {
          const handle = String(command.give)
          const result = release(block, one => one.handle === handle)
          const had = taken.get(handle)
          assert.deepEqual(result.ordinals, had === undefined ? [] : [had])
          free.push(...result.ordinals)
          taken.delete(handle)
          block = result.block
        }
        assert.deepEqual(block.free, free)
        assert.equal(block.allocations.size, taken.size)
        for (const [handle, ordinal] of taken) assert.equal(ordinalFor(block, handle), ordinal)
      }
    }),
  )
})
