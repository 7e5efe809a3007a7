/** What goes to a peer: attributes by kind of peer, and what reflection adds. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { formatIpv4, ipv4 } from '@network/base/net/ipv4.ts'
import { ipv6 } from '@network/base/net/ipv6.ts'
import { type Attributes, NO_ADVERTISE, NO_EXPORT, NO_EXPORT_SUBCONFED, plainAttributes } from '../attributes/attributes.ts'
import type { Source } from '../rib/path.ts'
import { advertised, type Outlet } from './advertise.ts'

const HERE = ipv4('192.0.2.1')
const CLUSTER = ipv4('9.9.9.9')

const OUTLETS = {
  internal: { kind: 'internal', localAddress: HERE, localAsn: 64512, clusterId: CLUSTER, client: false },
  client: { kind: 'internal', localAddress: HERE, localAsn: 64512, clusterId: CLUSTER, client: true },
  external: { kind: 'external', localAddress: ipv4('198.51.100.9'), localAsn: 64512, clusterId: CLUSTER, client: false },
} satisfies Record<string, Outlet>

describe('advertising', () => {
  const cases: readonly {
    name: string
    from: Source['kind'] | 'client'
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
    {
      name: 'NO_EXPORT_SUBCONFED outside',
      from: 'local',
      to: 'external',
      said: { communities: [NO_EXPORT_SUBCONFED] },
      hears: 'nothing',
    },
    { name: 'NO_ADVERTISE inside', from: 'local', to: 'internal', said: { communities: [NO_ADVERTISE] }, hears: 'nothing' },
    {
      name: 'internal route to a client',
      from: 'internal',
      to: 'client',
      said: { localPref: 200, med: 5 },
      hears: 'path [] via 203.0.113.1 pref 200 med 5 originator 192.0.2.7 clusters 9.9.9.9',
    },
    {
      name: 'route of a client to a non-client, reflected before',
      from: 'client',
      to: 'internal',
      said: { localPref: 100, originatorId: ipv4('7.7.7.7'), clusterList: [ipv4('8.8.8.8')] },
      hears: 'path [] via 203.0.113.1 pref 100 med - originator 7.7.7.7 clusters 9.9.9.9 8.8.8.8',
    },
    { name: 'external route to a client', from: 'external', to: 'client', hears: 'path [65001] via 203.0.113.1 pref 100 med -' },
    { name: 'own route to a client', from: 'local', to: 'client', hears: 'path [] via 192.0.2.1 pref 100 med -' },
  ]
  for (const { name, from, to, said, hears } of cases)
    test(`${name}: ${hears}`, () => {
      const source = sourceOf(from)
      assert.equal(heard(advertised(attributesFrom(source.kind, said), source, OUTLETS[to], false)), hears)
    })
})

describe('a link-local next hop', () => {
  for (const to of ['internal', 'client'] as const)
    test(`is not told to an ${to} peer that may not share the link (RFC 2545)`, () => {
      const nextHop6 = { address: ipv6('2001:db8::7'), linkLocal: ipv6('fe80::7') }
      const source = sourceOf(to === 'client' ? 'internal' : 'external')
      const said = advertised(attributesFrom(source.kind, { nextHop6 }), source, OUTLETS[to], true)
      assert.deepEqual(said?.nextHop6, { address: ipv6('2001:db8::7'), linkLocal: undefined })
    })
})

function sourceOf(from: Source['kind'] | 'client'): Source {
  const kind = from === 'client' ? 'internal' : from
  const routerId = ipv4('192.0.2.7')
  return { id: 'elsewhere', kind, name: '', address: HERE, routerId, localAddress: HERE, client: from === 'client' }
}

function attributesFrom(kind: Source['kind'], said: Partial<Attributes> = {}): Attributes {
  const asPath = kind === 'external' ? [{ kind: 'sequence', asns: [65001] } as const] : []
  return { ...plainAttributes(ipv4('203.0.113.1')), asPath, ...said }
}

function heard(attributes: Attributes | undefined): string {
  if (attributes === undefined) return 'nothing'
  const { asPath, nextHop, localPref, med, originatorId, clusterList } = attributes
  const asns = asPath.flatMap(segment => segment.asns).join(' ')
  const route = `path [${asns}] via ${formatIpv4(nextHop)} pref ${localPref ?? '-'} med ${med ?? '-'}`
  if (originatorId === undefined && clusterList.length === 0) return route
  const originator = originatorId === undefined ? '-' : formatIpv4(originatorId)
  return `${route} originator ${originator} clusters ${clusterList.map(formatIpv4).join(' ')}`
}
