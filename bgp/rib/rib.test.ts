/** Decision and Loc-RIB: who wins and why, whatever the order of arrival. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { formatAnyPrefix } from '@network/base/net/any-prefix.ts'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { prefix } from '@network/base/net/prefix.ts'
import fc from 'fast-check'
import { type Attributes, plainAttributes } from '../attributes/attributes.ts'
import { attributes as anyAttributes } from '../testing/arbitrary.ts'
import type { Source } from './path.ts'
import { Rib } from './rib.ts'

const SELF = { asn: 64512, routerId: ipv4('192.0.2.1') }
const NET = prefix('10.1.0.0/24')
const KEY = '10.1.0.0/24'
const PLAIN: Attributes = { ...plainAttributes(ipv4('198.51.100.1')), localPref: 100 }
const path = (...asns: number[]) => [{ kind: 'sequence', asns } as const]

describe('the decision', () => {
  const cases: readonly { by: string; better: Partial<Attributes>; worse: Partial<Attributes>; sources?: [Source, Source] }[] = [
    { by: 'weight', better: { weight: 1, localPref: 1 }, worse: {} },
    { by: 'local-pref', better: { localPref: 101 }, worse: {} },
    { by: 'as-path-length', better: {}, worse: { asPath: path(1) } },
    { by: 'origin', better: {}, worse: { origin: 'incomplete' } },
    { by: 'med', better: { asPath: path(7), med: 1 }, worse: { asPath: path(7), med: 4294967295 } },
    { by: 'external-over-internal', better: {}, worse: {}, sources: [source(9, 'external'), source(2)] },
    { by: 'router-id', better: { originatorId: ipv4('0.0.0.1') }, worse: {} },
    {
      by: 'cluster-list-length',
      better: {},
      worse: { clusterList: [ipv4('1.1.1.1')] },
      sources: [source(3, 'internal', 7), source(2, 'internal', 7)],
    },
    { by: 'peer-address', better: {}, worse: {}, sources: [source(2, 'internal', 7), source(3, 'internal', 7)] },
    { by: 'local-origin', better: { localPref: 1 }, worse: { weight: 65535 }, sources: [source(1, 'local'), source(2)] },
  ]
  for (const { by, better, worse, sources } of cases)
    test(by, () => {
      const [first, second] = sources ?? [source(5), source(4)]
      for (const order of ['better first', 'worse first']) {
        const rib = fresh()
        const steps = [
          () => rib.announce(first, [NET], { ...PLAIN, ...better }),
          () => rib.announce(second, [NET], { ...PLAIN, ...worse }),
        ]
        for (const step of order === 'better first' ? steps : steps.toReversed()) step()
        rib.decide()
        assert.equal(rib.best(KEY)?.source.id, first.id, order)
        assert.deepEqual(
          rib.selection(KEY).losers.map(({ lostBy }) => lostBy),
          [by],
        )
      }
    })

  test('MED of different neighbour ASes is not compared', () => {
    const rib = fresh()
    rib.announce(source(2), [NET], { ...PLAIN, asPath: path(7), med: 50 })
    rib.announce(source(3), [NET], { ...PLAIN, asPath: path(8), med: 1 })
    rib.decide()
    assert.equal(rib.best(KEY)?.source.id, 'peer 2')
  })

  test('never depends on the order of arrival, and every loser has its reason', () => {
    const few = fc.record({
      med: fc.nat(2),
      length: fc.nat(2),
      neighbour: fc.integer({ min: 1, max: 2 }),
      origin: fc.constantFrom('igp', 'egp'),
    })
    fc.assert(
      fc.property(fc.array(few, { minLength: 2, maxLength: 6 }), fc.nat(719), (paths, shuffle) => {
        const told = paths.map(({ med, length, neighbour, origin }, index) => {
          const asns = Array.from({ length: length + 1 }, () => neighbour)
          return { from: source(index + 2), attributes: { ...PLAIN, med, asPath: path(...asns), origin } }
        })
        const ribs = [told, told.toReversed(), rotate(told, shuffle % told.length)].map(order => {
          const rib = fresh()
          for (const { from, attributes } of order) {
            rib.announce(from, [NET], attributes)
            if (shuffle % 2 === 0) rib.decide()
          }
          rib.decide()
          return rib
        })
        const bests = ribs.map(rib => rib.best(KEY)?.source.id)
        assert.equal(new Set(bests).size, 1)
        for (const rib of ribs) assert.equal(rib.selection(KEY).losers.length, told.length - 1)
      }),
    )
  })
})

describe('the RIB', () => {
  test('falls back to the next path in one pass', () => {
    const rib = fresh()
    rib.announce(source(2), [NET], PLAIN)
    rib.announce(source(3), [NET], PLAIN)
    rib.decide()
    rib.withdraw('peer 2', [NET])
    assert.deepEqual(decided(rib), ['10.1.0.0/24: peer 2 -> peer 3'])
  })

  test('stale marks come and go without a change; a sweep takes what was not repeated', () => {
    const rib = fresh()
    const other = prefix('10.2.0.0/24')
    rib.announce(source(2), [NET, other], PLAIN)
    rib.decide()
    rib.markStale('peer 2')
    assert.deepEqual(decided(rib), [])
    assert.equal(rib.best(KEY)?.stale, true)
    rib.announce(source(2), [NET], PLAIN)
    assert.deepEqual(decided(rib), [])
    assert.equal(rib.best(KEY)?.stale, false)
    assert.equal(rib.sweepStale('peer 2'), 1)
    assert.deepEqual(decided(rib), ['10.2.0.0/24: peer 2 -> nothing'])
  })

  const loops: readonly { why: string; said: Partial<Attributes> }[] = [
    { why: 'as-path-loop', said: { asPath: [{ kind: 'set', asns: [1, 64512] }] } },
    { why: 'originator-loop', said: { originatorId: SELF.routerId } },
    { why: 'cluster-loop', said: { clusterList: [ipv4('1.1.1.1'), SELF.routerId] } },
    { why: 'next-hop-is-ours', said: { nextHop: ipv4('192.0.2.1') } },
    { why: 'next-hop-unusable', said: { nextHop: ipv4('127.0.0.1') } },
  ]
  for (const { why, said } of loops)
    test(`${why}: kept with the reason, and an earlier good path goes`, () => {
      const rib = fresh()
      rib.announce(source(2), [NET], PLAIN)
      rib.decide()
      rib.announce(source(2), [NET], { ...PLAIN, ...said })
      assert.deepEqual(decided(rib), ['10.1.0.0/24: peer 2 -> nothing'])
      assert.deepEqual(
        rib.paths(KEY).map(({ standing }) => standing),
        [{ is: 'ineligible', why }],
      )
    })

  test('told again with equal attributes, nothing changes', () => {
    fc.assert(
      fc.property(anyAttributes, attributes => {
        const rib = fresh()
        rib.announce(source(2), [NET], attributes)
        rib.decide()
        rib.announce(source(2), [NET], structuredClone(attributes))
        assert.deepEqual(decided(rib), [])
      }),
      { numRuns: 30 },
    )
  })
})

function fresh(): Rib {
  return new Rib(SELF)
}

/** `prefix: source before -> source after` of each change; then everything unused is given back. */
function decided(rib: Rib): readonly string[] {
  const { count, ids, before, after } = rib.decide()
  const name = (set: number | undefined) => rib.sets.get(set ?? -1)?.source.id ?? 'nothing'
  const lines = Array.from({ length: count }, (_, at) => {
    const key = formatAnyPrefix(rib.prefixes.prefix(ids[at] ?? -1))
    return `${key}: ${name(before[at])} -> ${name(after[at])}`
  })
  rib.tidy(() => undefined)
  return lines
}

function source(number: number, kind: Source['kind'] = 'internal', router = number): Source {
  const address = ipv4(`192.0.2.${number}`)
  const id = kind === 'local' ? 'local' : `peer ${number}`
  return { id, kind, name: id, address, routerId: ipv4(`192.0.2.${router}`), localAddress: SELF.routerId }
}

function rotate<T>(list: readonly T[], by: number): readonly T[] {
  return [...list.slice(by), ...list.slice(0, by)]
}
