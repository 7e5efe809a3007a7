/** Sessions over IPv6 between speakers in memory: what each family points at, who may come, and whom an interface alone names. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { anyAddress, formatAddress } from '@network/base/net/any-address.ts'
import { type AnyPrefix, anyPrefix } from '@network/base/net/any-prefix.ts'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { formatIpv6, ipv6 } from '@network/base/net/ipv6.ts'
import { Fault } from '@network/base/run/fault.ts'
import { silentLog } from '@network/base/run/log.ts'
import { ManualClock } from '@network/base/testing/manual-clock.ts'
import { seededRandom } from '@network/base/testing/seeded-random.ts'
import { millis, seconds } from '@network/base/time/units.ts'
import { plainAttributes } from './attributes/attributes.ts'
import { advertised, type Outlet } from './export/advertise.ts'
import { acceptAll, type Origination, type PeerConfig, type SpeakerOptions } from './options.ts'
import { onLink, parsePeer } from './peer-address.ts'
import { flawOf, type Source } from './rib/path.ts'
import { Speaker } from './speaker.ts'
import { MemoryNetwork } from './testing/memory-network.ts'
import type { Links } from './unnumbered/discovery.ts'
import { IPV4_UNICAST, IPV6_UNICAST } from './wire/capabilities.ts'

const FAMILIES = [IPV4_UNICAST, IPV6_UNICAST]
const [NEAR, FAR] = ['2001:db8::1', '2001:db8::2']
const ROUTES = ['10.1.0.0/24', '2001:db8:1::/48']

describe('a session over IPv6', () => {
  for (const kind of ['internal', 'external'] as const) {
    test(`${kind}: IPv6 routes point at the end of the session, and so do IPv4 routes where both agree (RFC 8950)`, async () => {
      const { near, far, run } = await pair(kind, { ipv4OverIpv6: true })
      run(5)
      assert.deepEqual(heardBy(far), [`10.1.0.0/24 via ${NEAR}`, `2001:db8:1::/48 via ${NEAR}`])
      assert.deepEqual(near.status().peers[0]?.session?.nextHops, { ipv4: NEAR, ipv6: NEAR })
      assert.deepEqual(near.status().peers[0]?.session?.untold, [])
    })

    test(`${kind}: without agreement IPv4 routes stay where they are, and the status says why`, async () => {
      const { near, far, run } = await pair(kind, {})
      run(5)
      assert.deepEqual(heardBy(far), [`2001:db8:1::/48 via ${NEAR}`])
      const session = near.status().peers[0]?.session
      assert.equal(session?.nextHops.ipv4, null)
      assert.match(session.untold.join(), /ipv4-unicast: .* RFC 8950.* localAddress4/)
    })

    test(`${kind}: without agreement an IPv4 address of ours will do`, async () => {
      const { far, run } = await pair(kind, { localAddress4: ipv4('192.0.2.1') })
      run(5)
      assert.deepEqual(heardBy(far), ['10.1.0.0/24 via 192.0.2.1', `2001:db8:1::/48 via ${NEAR}`])
    })
  }

  test('both dial at once: one connection lives; a lost one comes back', async () => {
    const { near, far, network, run } = await pair('internal', { ipv4OverIpv6: true })
    run(5)
    assert.equal(network.streams, 1)
    network.lose(ipv6(NEAR), ipv6(FAR), 'both')
    run(10)
    assert.deepEqual([network.streams, near.status().peers[0]?.flaps, far.status().peers[0]?.state], [1, 1, 'established'])
  })

  test('who was not named comes out of a range, and only out of it', async () => {
    const { near, far, run } = await pair('internal', {}, { unnamed: anyPrefix('2001:db8::/64') })
    run(5)
    assert.deepEqual(heardBy(near), [`2001:db8:2::/48 via ${FAR}`])
    assert.equal(far.status().peers[0]?.state, 'established')
    const strange = await pair('internal', {}, { unnamed: anyPrefix('2001:db8:ffff::/64') })
    strange.run(5)
    assert.deepEqual([heardBy(strange.near), strange.near.status().strangers.last], [[], FAR])
  })

  test('any AS outside will do where a word says so, and none of our own', async () => {
    const { far, near, run } = await pair('external', { asn: 'external' })
    run(5)
    assert.deepEqual(heardBy(far), [`2001:db8:1::/48 via ${NEAR}`])
    assert.deepEqual([near.status().peers[0]?.remoteAsn, near.status().peers[0]?.kind], [65001, 'external'])
    const wrong = await pair('external', { asn: 'internal' })
    wrong.run(5)
    assert.match(wrong.near.status().peers[0]?.lastError?.text ?? '', /the peer says AS 65001, configured is our own/)
  })
})

describe('a peer known by its interface alone', () => {
  test('is met when it advertises itself, and both families point at link-local addresses', async () => {
    const { near, far, run } = await pair('external', { asn: 'external' }, { link: 'eth1' })
    run(5)
    assert.deepEqual(heardBy(far), ['10.1.0.0/24 via fe80::1', '2001:db8:1::/48 via fe80::1'])
    const [peer] = near.status().peers
    assert.deepEqual(
      [peer?.address, peer?.unnumbered, peer?.session?.remoteAddress],
      ['eth1', { device: 'eth1', seen: 'fe80::2' }, 'fe80::2%eth1'],
    )
    assert.equal(far.explain('10.1.0.0/24').paths[0]?.nextHop, 'fe80::1%eth1')
    assert.deepEqual([...near.adjIn(onLink('eth1'))].length, 1)
  })

  test('comes back after a loss; somebody else is met only when it has been silent for long', async () => {
    const { near, network, run } = await pair('internal', {}, { link: 'eth1' })
    run(5)
    network.lose(ipv6('fe80::1'), ipv6('fe80::2'), 'both')
    run(10)
    assert.deepEqual([near.status().peers[0]?.state, near.status().peers[0]?.flaps], ['established', 1])
    network.crash(ipv6('fe80::2'))
    const stranger = network.host(ipv6('fe80::3'))
    stranger.links?.watch('eth1', () => undefined)
    run(1)
    assert.equal(near.status().peers[0]?.unnumbered?.seen, 'fe80::2')
    run(40)
    stranger.links?.watch('eth1', () => undefined)
    run(1)
    assert.equal(near.status().peers[0]?.unnumbered?.seen, 'fe80::3')
  })

  test('where advertisements cannot be heard, the status says what it takes, and everybody else goes on', async () => {
    const refuse = () => {
      throw new Fault('bgp.router-advertisements', { doing: 'open', on: 'a socket', says: 'not permitted', mend: 'ask for it' })
    }
    const { near, run } = await pair('internal', {}, { link: 'eth1', links: { watch: refuse } })
    run(5)
    assert.deepEqual(near.status().peers[0]?.state, 'idle')
    assert.match(near.status().peers[0]?.lastError?.text ?? '', /not permitted.*ask for it/s)
  })

  test('a link-local next hop is not told to a reflector’s client on another link, and becomes ours inside', () => {
    const source = { ...SOURCE, zone: 'eth1' }
    const heard = { ...plainAttributes(ipv4('0.0.0.0')), nextHop6: { address: ipv6('fe80::2'), linkLocal: undefined } }
    assert.equal(advertised(heard, { ...source, kind: 'internal' }, { ...OUTLET, client: true }, true), undefined)
    assert.deepEqual(advertised(heard, source, OUTLET, true)?.nextHop6?.address, ipv6(NEAR))
    assert.equal(flawOf(heard, source, SELF), undefined)
    assert.equal(flawOf(heard, SOURCE, SELF), 'next-hop-unusable', 'on no link')
    const ours = { ...heard, nextHop6: { address: ipv6('fe80::1'), linkLocal: undefined } }
    assert.equal(flawOf(ours, source, SELF), 'next-hop-is-ours')
  })
})

const SELF = { asn: 64512, routerId: ipv4('192.0.2.1') }
const SOURCE: Source = {
  ...{ id: 'eth1', name: 'spine', kind: 'external', address: ipv6('fe80::2'), localAddress: ipv6('fe80::1') },
  routerId: ipv4('192.0.2.2'),
}
const OUTLET: Outlet = {
  kind: 'internal',
  localAsn: 64512,
  clusterId: ipv4('192.0.2.1'),
  client: false,
  localAddress6: ipv6(NEAR),
}

for (const [text, isOne] of [
  ['192.0.2.1', true],
  ['2001:db8::1', true],
  ['fe80::1%eth1', true],
  ['eth1', true],
  ['fe80::1', false],
  ['2001:db8::1%eth1', false],
  ['fe80::1%', false],
  ['192.0.2.1%eth1', false],
  ['a name that is too long', false],
  ['', false],
] as const)
  test(`${isOne ? 'a peer' : 'nobody'}: "${text}"`, () => assert.equal(parsePeer(text) !== undefined, isOne))

interface Pair {
  readonly near: Speaker
  readonly far: Speaker
  readonly network: MemoryNetwork
  readonly run: (durationSeconds: number) => void
}

/** Both say the same of each other; the near one may know the far one by a range only. */
async function pair(
  kind: 'internal' | 'external',
  peer: Partial<PeerConfig>,
  { unnamed, link, links }: { readonly unnamed?: AnyPrefix; readonly link?: string; readonly links?: Links } = {},
): Promise<Pair> {
  const clock = new ManualClock()
  const network = new MemoryNetwork(clock)
  const random = seededRandom(5)
  const asns = { near: 64512, far: kind === 'internal' ? 64512 : 65001 }
  const make = (who: 'near' | 'far', at: string, more: Partial<SpeakerOptions>) =>
    new Speaker({
      routerId: ipv4(who === 'near' ? '192.0.2.1' : '192.0.2.2'),
      asn: asns[who],
      listen: { address: anyAddress(at), port: 179 },
      holdTime: seconds(30),
      connectRetry: millis(2000),
      gracefulRestart: { restartTime: seconds(120), restarting: false, deferral: millis(60_000) },
      importFilter: acceptAll,
      clock,
      random,
      log: silentLog,
      transport: network.host(anyAddress(at)),
      ...more,
    })
  const plain = { families: FAMILIES }
  const guests = unnamed === undefined ? {} : { dynamicPeers: [{ range: unnamed, limit: 9, peer: { asn: asns.far, ...plain } }] }
  const [here, there] = link === undefined ? [NEAR, FAR] : ['fe80::1', 'fe80::2']
  const near = make('near', here, {
    ...guests,
    ...(links === undefined ? {} : { transport: { ...network.host(anyAddress(here)), links } }),
  })
  const far = make('far', there, {})
  const towards = (address: string, asn: number): PeerConfig => ({
    ...{
      address: link === undefined ? anyAddress(address) : onLink(link),
      name: address,
      asn,
      port: 179,
      passive: false,
      dialAfter: millis(0),
    },
    ...plain,
  })
  near.originate(routes(ROUTES))
  far.originate(routes(['2001:db8:2::/48']))
  near.setPeers(unnamed === undefined ? [{ ...towards(FAR, asns.far), ...peer }] : [])
  const { asn: _word, localAddress4: _address, ...same } = peer
  far.setPeers([{ ...towards(NEAR, asns.near), ...same }])
  await Promise.all([near.start(), far.start()])
  return { near, far, network, run: duration => clock.advance(millis(duration * 1000)) }
}

function routes(texts: readonly string[]): ReadonlyMap<string, Origination> {
  return new Map(texts.map(text => [text, { prefix: anyPrefix(text) }]))
}

function heardBy(speaker: Speaker): readonly string[] {
  const others = [...speaker.routes()].filter(({ source }) => source.kind !== 'local')
  return others
    .map(({ key, attributes: { nextHop, nextHop6 } }) => {
      const { address, linkLocal } = nextHop6 ?? { address: nextHop, linkLocal: undefined }
      return `${key} via ${formatAddress(address)}${linkLocal === undefined ? '' : ` ${formatIpv6(linkLocal)}`}`
    })
    .sort()
}
