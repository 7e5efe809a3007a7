/** What goes to a peer: attributes by kind of peer, packing, and an Adj-RIB-Out that never lies. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ipv4, toIpv4 } from '@network/base/net/ipv4.ts'
import { formatPrefix, type Prefix, prefix, toPrefix } from '@network/base/net/prefix.ts'
import fc from 'fast-check'
import { type Attributes, NO_ADVERTISE, NO_EXPORT, plainAttributes } from '../attributes/attributes.ts'
import { fingerprint } from '../attributes/encode.ts'
import { type Path, type Source, USABLE } from '../rib/path.ts'
import type { Dialect } from '../wire/dialect.ts'
import { decodeUpdate } from '../wire/update.ts'
import { AdjOut, type Offer } from './adj-out.ts'
import { advertised, type Outlet } from './advertise.ts'
import { packAnnouncements, packWithdrawals } from './pack.ts'

const DIALECT: Dialect = { kind: 'internal', asnOctets: 4 }
const HERE = ipv4('192.0.2.1')
const NET = prefix('10.1.0.0/24')

const OUTLETS: Readonly<Record<'internal' | 'external', Outlet>> = {
  internal: { peerId: '192.0.2.2', peerAddress: ipv4('192.0.2.2'), kind: 'internal', localAddress: HERE, localAsn: 64512 },
  external: {
    peerId: '198.51.100.1',
    peerAddress: ipv4('198.51.100.1'),
    kind: 'external',
    localAddress: ipv4('198.51.100.9'),
    localAsn: 64512,
  },
}

describe('advertising', () => {
  const cases: readonly {
    name: string
    from: Source['kind']
    to: keyof typeof OUTLETS
    said?: Partial<Attributes>
    hears: string
  }[] = [
    { name: 'own route inside', from: 'local', to: 'internal', hears: 'path [] via 192.0.2.1 pref 100 med -' },
    {
      name: 'own route outside',
      from: 'local',
      to: 'external',
      said: { med: 5 },
      hears: 'path [64512] via 198.51.100.9 pref - med 5',
    },
    { name: 'internal route inside', from: 'internal', to: 'internal', hears: 'nothing' },
    {
      name: 'internal route outside',
      from: 'internal',
      to: 'external',
      said: { localPref: 200, med: 5, clusterList: [HERE] },
      hears: 'path [64512] via 198.51.100.9 pref - med -',
    },
    {
      name: 'external route inside',
      from: 'external',
      to: 'internal',
      said: { med: 5 },
      hears: 'path [65001] via 203.0.113.1 pref 100 med 5',
    },
    {
      name: 'external route outside',
      from: 'external',
      to: 'external',
      said: { med: 5 },
      hears: 'path [64512 65001] via 198.51.100.9 pref - med -',
    },
    { name: 'NO_EXPORT outside', from: 'local', to: 'external', said: { communities: [NO_EXPORT] }, hears: 'nothing' },
    {
      name: 'NO_EXPORT inside',
      from: 'local',
      to: 'internal',
      said: { communities: [NO_EXPORT] },
      hears: 'path [] via 192.0.2.1 pref 100 med -',
    },
    { name: 'NO_ADVERTISE inside', from: 'local', to: 'internal', said: { communities: [NO_ADVERTISE] }, hears: 'nothing' },
    {
      name: "the peer's own address as next hop",
      from: 'external',
      to: 'internal',
      said: { nextHop: ipv4('192.0.2.2') },
      hears: 'nothing',
    },
  ]
  for (const { name, from, to, said, hears } of cases)
    test(`${name}: ${hears}`, () => assert.equal(heard(advertised(pathFrom(from, said), OUTLETS[to])), hears))

  test('never back to where it came from', () => {
    const path = pathFrom('external')
    assert.equal(advertised(path, { ...OUTLETS.external, peerId: path.source.id }), undefined)
  })
})

describe('packing', () => {
  test('no message is longer than 4096 octets and nothing is lost', () => {
    const prefixes = Array.from({ length: 3000 }, (_, index) => toPrefix(toIpv4(0x0a000000 + index * 64), 26))
    for (const messages of [packWithdrawals(prefixes), packAnnouncements(new Uint8Array(1000), prefixes) ?? []]) {
      assert.ok(messages.every(message => message.length <= 4096))
      assert.ok(
        messages.slice(0, -1).every(message => message.length > 4090),
        'all but the last are full',
      )
    }
    assert.equal(packAnnouncements(new Uint8Array(4073), prefixes), undefined)
  })
})

describe('Adj-RIB-Out', () => {
  test('whatever happens between flushes, the peer holds exactly what it should', () => {
    const key = fc.nat(7)
    const change = fc.record({ key, is: fc.constantFrom('a', 'b', 'gone'), flush: fc.boolean(), resend: fc.boolean() })
    fc.assert(
      fc.property(fc.array(change, { maxLength: 60 }), changes => {
        const out = new AdjOut(DIALECT)
        const wanted = new Map<string, Offer>()
        const held = new Map<string, string>()
        for (const { key: number, is, flush, resend } of changes) {
          const net = toPrefix(toIpv4(0x0a000000 + number * 256), 24)
          if (is === 'gone') wanted.delete(formatPrefix(net))
          else wanted.set(formatPrefix(net), { prefix: net, attributes: withMed(is === 'a' ? 1 : 2) })
          out.touch(formatPrefix(net))
          if (resend) out.resend()
          if (flush) replay(held, out.next(name => wanted.get(name)).messages)
        }
        replay(held, out.next(name => wanted.get(name)).messages)
        assert.deepEqual(held, new Map([...wanted].map(([name, { attributes }]) => [name, fingerprint(attributes)])))
        assert.equal(out.size, held.size)
        assert.equal(out.isCurrent, true)
      }),
    )
  })

  test('withdraws only what was told, and says an unchanged route once', () => {
    const out = new AdjOut(DIALECT)
    out.touch('10.1.0.0/24')
    assert.deepEqual(out.next(() => undefined).messages, [])
    for (const expected of [1, 0]) {
      out.touch('10.1.0.0/24')
      assert.equal(out.next(() => ({ prefix: NET, attributes: withMed(1) })).messages.length, expected)
    }
    out.resend()
    assert.equal(out.next(() => ({ prefix: NET, attributes: withMed(1) })).messages.length, 1)
  })

  test('attributes that fit in no message: reported, and withdrawn where told before', () => {
    const out = new AdjOut(DIALECT)
    const huge = { ...withMed(1), communities: Array.from({ length: 1100 }, (_, index) => index) }
    for (const [attributes, messages, oversized] of [
      [huge, 0, 1],
      [withMed(1), 1, 0],
      [huge, 1, 1],
    ] as const) {
      out.touch('10.1.0.0/24')
      const batch = out.next(() => ({ prefix: NET, attributes }))
      assert.deepEqual([batch.messages.length, batch.oversized.length], [messages, oversized])
    }
    assert.equal(out.size, 0)
  })
})

function pathFrom(kind: Source['kind'], said: Partial<Attributes> = {}): Path {
  const asPath = kind === 'external' ? [{ kind: 'sequence', asns: [65001] } as const] : []
  const attributes = { ...plainAttributes(ipv4('203.0.113.1')), asPath, ...said }
  const source = { id: 'elsewhere', kind, name: '', address: HERE, routerId: HERE, localAddress: HERE }
  return { key: formatPrefix(NET), prefix: NET, source, attributes, fingerprint: '', stale: false, standing: USABLE }
}

function heard(attributes: Attributes | undefined): string {
  if (attributes === undefined) return 'nothing'
  const { asPath, nextHop, localPref, med, clusterList } = attributes
  assert.deepEqual(clusterList, [])
  const asns = asPath.flatMap(segment => segment.asns).join(' ')
  const hop = [nextHop >>> 24, (nextHop >>> 16) & 255, (nextHop >>> 8) & 255, nextHop & 255].join('.')
  return `path [${asns}] via ${hop} pref ${localPref ?? '-'} med ${med ?? '-'}`
}

function withMed(med: number): Attributes {
  return { ...plainAttributes(HERE), localPref: 100, med }
}

function replay(held: Map<string, string>, messages: readonly Uint8Array[]): void {
  for (const message of messages) {
    const verdict = decodeUpdate(message.subarray(19), DIALECT)
    assert.ok(verdict.is === 'routes')
    const each = (prefixes: readonly Prefix[], act: (name: string) => void) => {
      for (const one of prefixes) act(formatPrefix(one))
    }
    each(verdict.withdrawn, name => assert.ok(held.delete(name), `${name} was never told`))
    for (const { attributes, prefixes } of verdict.announced) each(prefixes, name => held.set(name, fingerprint(attributes)))
  }
}
