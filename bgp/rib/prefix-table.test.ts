/** Numbers of prefixes: found again, given again, and never two for one. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type AnyPrefix, formatAnyPrefix } from '@network/base/net/any-prefix.ts'
import { toIpv4 } from '@network/base/net/ipv4.ts'
import { toPrefix6 } from '@network/base/net/ipv6.ts'
import { toPrefix } from '@network/base/net/prefix.ts'
import fc from 'fast-check'
import { u32 } from '../testing/arbitrary.ts'
import { readPrefixes } from '../wire/nlri.ts'
import { eachPrefix4, PrefixTable } from './prefix-table.ts'

/** Few addresses, so that prefixes meet; all lengths, so that they collide. */
const four = fc.tuple(fc.oneof(fc.nat(300), u32), fc.nat(32)).map(([address, length]) => toPrefix(toIpv4(address), length))
const six = fc.tuple(fc.nat(20), fc.nat(128)).map(([address, length]) => toPrefix6(BigInt(address) << 100n, length))
const any: fc.Arbitrary<AnyPrefix> = fc.oneof({ weight: 5, arbitrary: four }, { weight: 1, arbitrary: six })

describe('the prefix table', () => {
  test('is a map from prefixes to numbers, whatever is taken and freed', () => {
    const step = fc.record({ prefix: any, frees: fc.integer({ min: 0, max: 2 }) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 600, size: 'max' }), steps => {
        const table = new PrefixTable()
        const expected = new Map<string, number>()
        for (const { prefix, frees } of steps) {
          const name = formatAnyPrefix(prefix)
          const known = expected.get(name)
          assert.equal(table.find(prefix), known ?? -1)
          if (frees === 0 && known !== undefined) {
            table.free(known)
            expected.delete(name)
          } else expected.set(name, table.take(prefix))
        }
        assert.equal(table.size, expected.size)
        assert.equal(new Set(expected.values()).size, expected.size)
        for (const [name, id] of expected) assert.equal(formatAnyPrefix(table.prefix(id)), name)
      }),
      { numRuns: 60 },
    )
  })

  test('reads fields as the decoder does, and writes what it reads', () => {
    const octets = fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.array(four, { maxLength: 10 }).map(fieldOf))
    fc.assert(
      fc.property(octets, field => {
        const table = new PrefixTable()
        const ids: number[] = []
        const isSound = eachPrefix4(field, 0, field.length, (address, length) => ids.push(table.take4(address, length)))
        const decoded = readPrefixes(field)
        assert.equal(isSound, decoded !== undefined)
        assert.deepEqual(
          ids.map(id => table.prefix(id)),
          decoded ?? [],
        )
        const written = new Uint8Array(5 * ids.length)
        const end = ids.reduce((at, id) => table.write4(id, written, at), 0)
        assert.deepEqual(readPrefixes(written.subarray(0, end)), decoded ?? [])
      }),
    )
  })
})

function fieldOf(prefixes: readonly { readonly address: number; readonly length: number }[]): Uint8Array {
  return Uint8Array.from(
    prefixes.flatMap(({ address, length }) => {
      const octets = [address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255]
      return [length, ...octets.slice(0, Math.ceil(length / 8))]
    }),
  )
}
