/** The switches of the decision process, and which paths packets may take together. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { anyPrefix } from '@network/base/net/any-prefix.ts'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { ipv6 } from '@network/base/net/ipv6.ts'
import { type Attributes, plainAttributes } from '../attributes/attributes.ts'
import type { DecisionOptions } from './decision-options.ts'
import type { Source } from './path.ts'
import { Rib } from './rib.ts'

const SELF = { asn: 64512, routerId: ipv4('192.0.2.1') }
const KEY = '10.1.0.0/24'
const PLAIN: Attributes = { ...plainAttributes(ipv4('198.51.100.1')), localPref: 100 }
const path = (...asns: number[]) => [{ kind: 'sequence', asns } as const]

const SWITCHES: readonly {
  readonly options: DecisionOptions
  /** Chosen with the switch, and without it the other one. */
  readonly chosen: Partial<Attributes>
  readonly other: Partial<Attributes>
}[] = [
  { options: { alwaysCompareMed: true }, chosen: { asPath: path(8), med: 1 }, other: { asPath: path(7), med: 50 } },
  { options: { missingMedWorst: true }, chosen: { asPath: path(7), med: 5 }, other: { asPath: path(7) } },
  { options: { ignoreAsPathLength: true }, chosen: { asPath: path(7, 7), med: 0 }, other: { asPath: path(7), med: 1 } },
  {
    options: { ignoreRouterId: true },
    chosen: { originatorId: ipv4('9.9.9.9') },
    other: { originatorId: ipv4('1.1.1.1'), clusterList: [ipv4('3.3.3.3')] },
  },
]

describe('switches', () => {
  for (const { options, chosen, other } of SWITCHES)
    test(Object.keys(options).join(), () => {
      assert.equal(best(options, chosen, other), 'peer 3')
      assert.equal(best({}, chosen, other), 'peer 2')
    })
})

describe('multipath', () => {
  const together = (options: DecisionOptions, ...said: readonly Partial<Attributes>[]) => {
    const rib = filled(options, said)
    return rib.multipath(KEY).map(({ source }) => source.id)
  }

  test('is one path unless it is switched on', () => {
    assert.deepEqual(together({}, {}, {}), ['peer 2'])
    assert.deepEqual(together({ multipath: 8 }), [])
  })

  test('takes what is equal up to the router id, at most so many, the best first', () => {
    assert.deepEqual(together({ multipath: 8 }, { med: 1 }, {}, {}, { localPref: 99 }), ['peer 3', 'peer 4'])
    assert.deepEqual(together({ multipath: 2 }, {}, {}, {}), ['peer 2', 'peer 3'])
  })

  test('takes every next hop once', () => {
    const nextHop = ipv4('192.0.2.2')
    assert.deepEqual(together({ multipath: 2 }, { nextHop }, { nextHop }, {}), ['peer 2', 'peer 4'])
  })

  test('asks for equal AS paths, unless relaxed to equal lengths', () => {
    const said = [{ asPath: path(7) }, { asPath: path(8) }, { asPath: path(7) }]
    assert.deepEqual(together({ multipath: 8 }, ...said), ['peer 2', 'peer 4'])
    const meds = [
      { asPath: path(7), med: 5 },
      { asPath: path(8), med: 1 },
      { asPath: path(8), med: 2 },
    ]
    assert.deepEqual(together({ multipath: 8, multipathRelax: true }, ...meds), ['peer 2', 'peer 3'], 'MED counts inside an AS')
    assert.deepEqual(new Set(together({ multipath: 8, multipathRelax: true }, ...said)), new Set(['peer 2', 'peer 3', 'peer 4']))
  })
})

/** The best of what peer 3 and peer 2 say. */
function best(options: DecisionOptions, third: Partial<Attributes>, second: Partial<Attributes>): string | undefined {
  return filled(options, [second, third]).best(KEY)?.source.id
}

function filled(options: DecisionOptions, said: readonly Partial<Attributes>[]): Rib {
  const rib = new Rib(SELF, options)
  for (const [index, changes] of said.entries()) {
    const nextHop = ipv4(`192.0.2.${index + 2}`)
    rib.announce(source(index + 2), [anyPrefix(KEY)], { ...PLAIN, nextHop, ...changes })
  }
  rib.decide()
  return rib
}

function source(number: number): Source {
  const address = ipv4(`192.0.2.${number}`)
  const id = `peer ${number}`
  return { id, kind: 'external', name: id, address, routerId: address, localAddress: SELF.routerId }
}

describe('one family of a peer', () => {
  test('is counted, marked, swept and dropped by itself', () => {
    const rib = new Rib(SELF)
    const six = { ...PLAIN, nextHop: ipv4('0.0.0.0'), nextHop6: { address: ipv6('2001:db8::1'), linkLocal: undefined } }
    const peer = source(2)
    rib.announce(peer, [anyPrefix(KEY), anyPrefix('10.2.0.0/24')], PLAIN)
    rib.announce(peer, [anyPrefix('2001:db8::/32')], six)
    assert.deepEqual(rib.counts(peer.id), { received: 3, six: 1, accepted: 3, stale: 0 })
    rib.markStale(peer.id, 'ipv4')
    rib.announce(peer, [anyPrefix(KEY)], PLAIN)
    assert.equal(rib.sweepStale(peer.id, 'ipv6'), 0)
    assert.equal(rib.sweepStale(peer.id, 'ipv4'), 1)
    assert.deepEqual(rib.counts(peer.id), { received: 2, six: 1, accepted: 2, stale: 0 })
    assert.equal(rib.drop(peer.id, 'ipv6'), 1)
    assert.deepEqual(rib.counts(peer.id), { received: 1, six: 0, accepted: 1, stale: 0 })
  })
})
