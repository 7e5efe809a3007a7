/** Patterns over AS paths and communities. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { AsPath } from '../attributes/attributes.ts'
import { u32 } from '../testing/arbitrary.ts'
import { matchesAsPath, parseAsPathPattern } from './as-path-pattern.ts'
import {
  formatCommunity,
  formatExtendedCommunity,
  formatLargeCommunity,
  matchesCommunity,
  matchesExtendedCommunity,
  matchesLargeCommunity,
  parseCommunity,
  parseCommunityPattern,
  parseExtendedCommunity,
  parseExtendedCommunityPattern,
  parseLargeCommunity,
  parseLargeCommunityPattern,
} from './community-pattern.ts'

const sequence = (...asns: readonly number[]): AsPath => (asns.length === 0 ? [] : [{ kind: 'sequence', asns }])

describe('AS path patterns', () => {
  const cases: readonly { readonly text: string; readonly yes: readonly AsPath[]; readonly no: readonly AsPath[] }[] = [
    { text: '', yes: [sequence(), sequence(1)], no: [] },
    { text: '^$', yes: [sequence()], no: [sequence(1)] },
    { text: '65001', yes: [sequence(65001), sequence(1, 65001, 2)], no: [sequence(), sequence(65002)] },
    { text: '^65001', yes: [sequence(65001, 2)], no: [sequence(2, 65001)] },
    { text: '65001$', yes: [sequence(2, 65001)], no: [sequence(65001, 2)] },
    { text: '^65001 .* 65010$', yes: [sequence(65001, 65010), sequence(65001, 7, 8, 65010)], no: [sequence(65001, 65010, 1)] },
    { text: '^1+ 2?$', yes: [sequence(1), sequence(1, 1, 1, 2)], no: [sequence(2), sequence(1, 2, 2)] },
    { text: '^1? 2$', yes: [sequence(2), sequence(1, 2)], no: [sequence(1), sequence(1, 1, 2)] },
    { text: '^. .$', yes: [sequence(5, 6)], no: [sequence(5), sequence(5, 6, 7)] },
    { text: '64512-65534', yes: [sequence(1, 64512), sequence(65534)], no: [sequence(64511, 65535)] },
    { text: '1 2', yes: [sequence(1, 1, 2), sequence(0, 1, 2, 3)], no: [sequence(1, 3, 2)] },
    { text: '^4294967295$', yes: [sequence(4294967295)], no: [sequence(4294967294)] },
    {
      text: '^1 5$',
      yes: [[...sequence(1), { kind: 'set', asns: [4, 5] }]],
      no: [[...sequence(1), { kind: 'set', asns: [4, 6] }]],
    },
    { text: '^1$', yes: [[{ kind: 'confed-sequence', asns: [9] }, ...sequence(1)]], no: [] },
  ]
  for (const { text, yes, no } of cases)
    test(`"${text}"`, () => {
      const parsed = parseAsPathPattern(text)
      assert.ok(parsed.ok)
      for (const path of yes) assert.equal(matchesAsPath(parsed.value, path), true, JSON.stringify(path))
      for (const path of no) assert.equal(matchesAsPath(parsed.value, path), false, JSON.stringify(path))
    })

  for (const text of ['65001_', '1-', '2-1', '4294967296', '.*?', '^1 $ 2', 'x'])
    test(`"${text}" is none`, () => assert.equal(parseAsPathPattern(text).ok, false))

  test('agree with regular expressions over letters', () => {
    const token = fc.tuple(fc.constantFrom('1', '2', '.'), fc.constantFrom('', '?', '*', '+'))
    const numbers = fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 8 })
    fc.assert(
      fc.property(fc.array(token, { maxLength: 5 }), fc.boolean(), fc.boolean(), numbers, (tokens, start, end, asns) => {
        const words = tokens.map(([letter, times]) => `${letter}${times}`)
        const parsed = parseAsPathPattern(`${start ? '^' : ''}${words.join(' ')}${end ? '$' : ''}`)
        assert.ok(parsed.ok)
        const expected = new RegExp(`${start ? '^' : ''}${words.join('')}${end ? '$' : ''}`).test(asns.join(''))
        assert.equal(matchesAsPath(parsed.value, sequence(...asns)), expected)
      }),
      { numRuns: 1000 },
    )
  })

  test('a path of ten thousand hops and a greedy pattern take no time', () => {
    const parsed = parseAsPathPattern(`^${'.* 1 '.repeat(20)}2$`)
    assert.ok(parsed.ok)
    const path: AsPath = Array.from({ length: 40 }, () => ({ kind: 'sequence', asns: Array.from({ length: 250 }, () => 1) }))
    assert.equal(matchesAsPath(parsed.value, path), false)
  })
})

describe('communities', () => {
  test('print and read back the same', () => {
    fc.assert(fc.property(u32, value => assert.equal(parseCommunity(formatCommunity(value)), value)))
    fc.assert(
      fc.property(u32, u32, u32, (global, local1, local2) => {
        const value = { global, local1, local2 }
        assert.deepEqual(parseLargeCommunity(formatLargeCommunity(value)), value)
      }),
    )
    const targets = fc.constantFrom(0x0002fde900000001n, 0x0003fde900000001n, 0x0202fffffff0ffffn, 0x4004000000000000n)
    const extended = fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), targets)
    fc.assert(fc.property(extended, value => assert.equal(parseExtendedCommunity(formatExtendedCommunity(value)), value)))
  })

  for (const [text, value] of [
    ['65001:7', 65001 * 65536 + 7],
    ['no-export', 0xffffff01],
    ['graceful-shutdown', 0xffff0000],
    ['65535:65535', 0xffffffff],
  ] as const)
    test(`${text} is ${value}`, () => assert.equal(parseCommunity(text), value))

  for (const [text, value] of [
    ['rt:65001:7', 0x0002fde900000007n],
    ['rt:70000:7', 0x0202000111700007n],
    ['ro:1:4294967295', 0x00030001ffffffffn],
    ['0x4304000000000001', 0x4304000000000001n],
  ] as const)
    test(`${text}`, () => {
      assert.equal(parseExtendedCommunity(text), value)
      assert.equal(formatExtendedCommunity(value), text)
    })

  for (const text of ['65536:1', '1:65536', '1', '1:2:3', 'a:b', '*:1', '1-2:3', ''])
    test(`"${text}" is no community`, () => assert.equal(parseCommunity(text), undefined))

  for (const text of ['rt:70000:70000', 'rt:1', 'xx:1:2', '0x1', 'rt:4294967296:1'])
    test(`"${text}" is no extended community`, () => assert.equal(parseExtendedCommunity(text), undefined))

  for (const [text, yes, no] of [
    ['65001:*', '65001:9', '65002:9'],
    ['64512-65534:1', '65000:1', '65000:2'],
    ['*:100-199', '7:150', '7:200'],
  ] as const)
    test(`${text} matches ${yes} and not ${no}`, () => {
      const pattern = parseCommunityPattern(text)
      assert.ok(pattern !== undefined)
      assert.deepEqual(
        [yes, no].map(each => matchesCommunity(pattern, parseCommunity(each) ?? 0)),
        [true, false],
      )
    })

  for (const { pattern, yes, no } of [
    { pattern: 'rt:65001:*', yes: 'rt:65001:7', no: 'ro:65001:7' },
    { pattern: 'rt:65001:100-199', yes: 'rt:65001:150', no: 'rt:65001:200' },
    { pattern: 'ro:4200000000-4294967294:7', yes: 'ro:4200000001:7', no: 'ro:65001:7' },
    { pattern: 'rt:65001:7', yes: 'rt:65001:7', no: 'rt:65001:8' },
  ])
    test(`extended ones by ranges: ${pattern} matches ${yes} and not ${no}`, () => {
      const parsed = parseExtendedCommunityPattern(pattern)
      const [match, other] = [parseExtendedCommunity(yes), parseExtendedCommunity(no)]
      assert.ok(parsed !== undefined && match !== undefined && other !== undefined)
      assert.deepEqual([matchesExtendedCommunity(parsed, match), matchesExtendedCommunity(parsed, other)], [true, false])
    })

  test('large ones by parts', () => {
    const pattern = parseLargeCommunityPattern('65001:*:10-20')
    assert.ok(pattern !== undefined)
    const said = ['65001:7:15', '65001:7:21', '65002:7:15'].map(parseLargeCommunity)
    assert.deepEqual(
      said.map(each => each !== undefined && matchesLargeCommunity(pattern, each)),
      [true, false, false],
    )
    assert.equal(parseLargeCommunityPattern('1:2'), undefined)
  })
})
