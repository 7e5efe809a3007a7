/** Numbers of prefixes: found again, given again, and never two for one. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type AnyPrefix, formatAnyPrefix } from '@network/base/net/any-prefix.ts'
import { toIpv4 } from '@network/base/net/ipv4.ts'
import { toPrefix6 } from '@network/base/net/ipv6.ts'
import { toPrefix } from '@network/base/net/prefix.ts'
import { systemClock } from '@network/base/time/clock.ts'
import { between } from '@network/base/time/units.ts'
import fc from 'fast-check'
import { u32 } from '../testing/arbitrary.ts'
import { readPrefixes } from '../wire/nlri.ts'
import { eachPrefix4, hashOf, PrefixTable } from './prefix-table.ts'

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

describe('prefixes that a peer chose so that they collide', () => {
  const MASK = 0xffff
  /** Host routes whose hashes end alike, as long as the seed is 0. */
  const chosen = Array.from({ length: 12_000 }, (_, at) => addressOf(at << 16, 32))

  test('P0: they do', () => {
    assert.deepEqual([...new Set(chosen.map(address => hashOf(address, 32) & MASK))], [0])
  })

  test('do not under a seed that it does not know', () => {
    const places = new Set(chosen.map(address => hashOf(address ^ 0x5eed_1e55, 32) & MASK))
    assert.ok(places.size > 10_000, `${places.size} places`)
    const [known, secret] = [0, 0x5eed_1e55].map(seed => Math.min(...[1, 2, 3].map(() => timeToTake(seed))))
    assert.ok((secret ?? 0) * 3 < (known ?? 0), `${secret} ms where ${known} ms are what it wants`)
  })

  function timeToTake(seed: number): number {
    const table = new PrefixTable(seed)
    const began = systemClock.now()
    for (const address of chosen) table.take4(address, 32)
    return between(began, systemClock.now())
  }
})

/** The address with this hash. */
function addressOf(hash: number, length: number): number {
  let value = hash ^ (hash >>> 13) ^ (hash >>> 26)
  value = Math.imul(value, inverseOf(0xc2b2ae35))
  value ^= (value >>> 15) ^ (value >>> 30)
  value = Math.imul(value, inverseOf(0x85ebca6b))
  return (value ^ Math.imul(length, 0x9e3779b1)) >>> 0
}

/** Of an odd number, modulo 2³². */
function inverseOf(odd: number): number {
  let inverse = odd
  for (let round = 0; round < 5; round++) inverse = Math.imul(inverse, 2 - Math.imul(odd, inverse))
  return inverse
}
