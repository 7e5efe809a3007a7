/** Whole speakers around a route server, and next hops as an operator wants them. RFC 7947, RFC 4271 §5.1.3, RFC 4456 §10. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { formatIpv4, ipv4 } from '@network/base/net/ipv4.ts'
import { prefix } from '@network/base/net/prefix.ts'
import { plainAttributes } from './attributes/attributes.ts'
import { encodeAttributes } from './attributes/encode.ts'
import type { PeerConfig } from './options.ts'
import { Cluster, type Member, meshPeer, routes } from './testing/cluster.ts'
import { RawPeer } from './testing/raw-peer.ts'
import { encodeAnnouncement } from './wire/update.ts'

const HUB = '192.0.2.1'
const NET = '10.1.0.0/24'

/** A hub in AS 64512 between a left one that announces NET with MED 5 and a right one that hears of it. */
async function between(asns: { readonly left: number; readonly right: number }, ofHub: Partial<PeerConfig>) {
  const cluster = new Cluster()
  const hub = await cluster.member(HUB)
  const left = await cluster.member('192.0.2.2', { asn: asns.left })
  const right = await cluster.member('192.0.2.3', { asn: asns.right })
  hub.speaker.setPeers([
    { ...meshPeer(left.address, hub.address), asn: asns.left },
    { ...meshPeer(right.address, hub.address), asn: asns.right, ...ofHub },
  ])
  for (const each of [left, right]) each.speaker.setPeers([{ ...meshPeer(hub.address, each.address), isRouteServer: true }])
  left.speaker.originate(new Map([[NET, { prefix: prefix(NET), med: 5 }]]))
  hub.speaker.originate(routes('10.9.0.0/24'))
  cluster.run(5)
  return { cluster, hub, left, right }
}

function heard({ speaker }: Member, key: string): string {
  const route = speaker.learned().get(key)
  if (route === undefined) return 'nothing'
  const { asPath, med } = route.attributes
  return `path ${asPath.flatMap(({ asns }) => asns).join(' ')} via ${formatIpv4(route.nextHop)} med ${med ?? '-'}`
}

describe('a route server', () => {
  test('hands on AS path, next hop and MED as they were told; another peer sees our AS and ourselves', async () => {
    const asns = { left: 65001, right: 65002 }
    assert.equal(heard((await between(asns, {})).right, NET), 'path 64512 65001 via 192.0.2.1 med -')
    const served = await between(asns, { routeServerClient: true })
    assert.equal(heard(served.right, NET), 'path 65001 via 192.0.2.2 med 5')
    assert.equal(heard(served.right, '10.9.0.0/24'), 'path 64512 via 192.0.2.1 med -', 'its own routes are its own')
  })

  test('still keeps what may not be exported to itself, and does not tell a client of its own route', async () => {
    const { left, hub } = await between({ left: 65001, right: 65002 }, { routeServerClient: true })
    assert.deepEqual([...left.speaker.learned().keys()], ['10.9.0.0/24'])
    assert.deepEqual(
      [...hub.speaker.adjOut(left.address)].map(({ attributes }) => attributes.asPath[0]?.asns),
      [[64512]],
    )
  })

  test('refuses a first AS that is not the peer’s unless the peer is a route server itself', async () => {
    const { cluster, right } = await between({ left: 65001, right: 65002 }, { routeServerClient: true })
    right.speaker.setPeers([meshPeer(ipv4(HUB), right.address)])
    cluster.run(5)
    assert.deepEqual(
      right.speaker.explain(NET).paths.map(({ verdict }) => verdict),
      [{ is: 'refused', why: 'the path begins with AS 65001, the peer is in AS 64512' }],
    )
  })
})

describe('next hops', () => {
  for (const { name, ofHub, left, right, via } of [
    { name: 'of another AS stay inside', ofHub: {}, left: 65001, right: 64512, via: '192.0.2.2' },
    { name: 'self: of another AS become ours inside', ofHub: { ipv4: 'self' }, left: 65001, right: 64512, via: HUB },
    { name: 'outside are ours', ofHub: {}, left: 65001, right: 65002, via: HUB },
    { name: 'unchanged: outside stay', ofHub: { ipv4: 'unchanged' }, left: 65001, right: 65002, via: '192.0.2.2' },
    { name: 'unchanged for IPv6 says nothing of IPv4', ofHub: { ipv6: 'unchanged' }, left: 65001, right: 65002, via: HUB },
  ] as const)
    test(name, async () => {
      const nextHops = Object.keys(ofHub).length === 0 ? {} : { nextHops: ofHub }
      const scene = await between({ left, right }, nextHops)
      assert.match(heard(scene.right, NET), new RegExp(`via ${via} `))
    })

  for (const { rule, via } of [
    { rule: undefined, via: '192.0.2.66' },
    { rule: 'self', via: '192.0.2.66' },
    { rule: 'self-always', via: HUB },
  ] as const)
    test(`reflected, ${rule ?? 'no rule'}: ${via}`, async () => {
      const cluster = new Cluster()
      const hub = await cluster.member(HUB)
      const client = await cluster.member('192.0.2.3')
      const address = ipv4('192.0.2.66')
      hub.speaker.setPeers([
        { ...meshPeer(address, hub.address), passive: true },
        { ...meshPeer(client.address, hub.address), client: true, ...(rule === undefined ? {} : { nextHops: { ipv4: rule } }) },
      ])
      client.speaker.setPeers([meshPeer(hub.address, client.address)])
      const raw = new RawPeer()
      raw.dial(cluster.network.host(address), hub.address)
      cluster.run(5)
      raw.greet()
      const block = encodeAttributes({ ...plainAttributes(address), localPref: 100 }, { kind: 'internal', asnOctets: 4 })
      raw.say(encodeAnnouncement(block, [prefix(NET)]))
      cluster.run(5)
      const route = client.speaker.learned().get(NET)
      assert.equal(route === undefined ? 'nothing' : formatIpv4(route.nextHop), via)
      assert.deepEqual(route?.attributes.originatorId, address)
    })
})
