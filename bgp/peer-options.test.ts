/** What one may ask of a single peer: families, AS numbers, limits, refresh, shutdown, and what a change of it costs. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { anyPrefix } from '@network/base/net/any-prefix.ts'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { formatIpv6, ipv6 } from '@network/base/net/ipv6.ts'
import { prefix } from '@network/base/net/prefix.ts'
import { millis, seconds } from '@network/base/time/units.ts'
import { plainAttributes } from './attributes/attributes.ts'
import { encodeAttributes } from './attributes/encode.ts'
import type { Origination, PeerConfig, SpeakerOptions } from './options.ts'
import { Cluster, learnedText, type Member, meshPeer, peerOf, recordingLog, routes } from './testing/cluster.ts'
import { RawPeer } from './testing/raw-peer.ts'
import { type Capabilities, IPV4_UNICAST, IPV6_UNICAST } from './wire/capabilities.ts'
import { describeNotification } from './wire/notification.ts'
import { decodeRouteRefresh, encodeRouteRefresh } from './wire/route-refresh.ts'
import { encodeAnnouncement, encodeEndOfRib, KEEPALIVE } from './wire/update.ts'

const A = '192.0.2.1'
const B = '192.0.2.2'

/** Two speakers that say of each other what is given. */
async function pair(
  ofA: Partial<PeerConfig> = {},
  ofB: Partial<PeerConfig> = {},
  options: { readonly a?: Partial<SpeakerOptions>; readonly b?: Partial<SpeakerOptions> } = {},
) {
  const cluster = new Cluster()
  const a = await cluster.member(A, options.a)
  const b = await cluster.member(B, options.b)
  const say = (of: Member, other: Member, peer: Partial<PeerConfig>) =>
    of.speaker.setPeers([{ ...meshPeer(other.address, of.address), ...peer }])
  say(a, b, ofA)
  say(b, a, ofB)
  cluster.run(5)
  return { cluster, a, b, reconfigureA: (peer: Partial<PeerConfig>) => say(a, b, peer) }
}

function own(...texts: readonly string[]): ReadonlyMap<string, Origination> {
  return new Map(texts.map(text => [text, { prefix: anyPrefix(text) }]))
}

function allRoutes(member: Member): readonly string[] {
  return [...member.speaker.routes()]
    .filter(({ source }) => source.kind !== 'local')
    .map(({ key, attributes: { nextHop6 } }) => `${key}${nextHop6 === undefined ? '' : ` via ${formatIpv6(nextHop6.address)}`}`)
    .sort()
}

describe('IPv6', () => {
  const six = (last: string): Partial<PeerConfig> => ({
    families: [IPV4_UNICAST, IPV6_UNICAST],
    localAddress6: ipv6(`2001:db8::${last}`),
  })

  test('goes over the same session, and comes back from it', async () => {
    const { cluster, a, b } = await pair(six('1'), six('2'))
    a.speaker.originate(own('10.1.0.0/24', '2001:db8:1::/48', '2001:db8:2::/48'))
    cluster.run(1)
    assert.deepEqual(allRoutes(b), ['10.1.0.0/24', '2001:db8:1::/48 via 2001:db8::1', '2001:db8:2::/48 via 2001:db8::1'])
    assert.deepEqual([...b.speaker.learned().keys()], ['10.1.0.0/24'], 'what asks for IPv4 gets IPv4')
    assert.equal(b.speaker.explain('2001:db8:1::/48').paths[0]?.verdict.is, 'best')
    a.speaker.originate(own('2001:db8:2::/48'))
    cluster.run(1)
    assert.deepEqual(allRoutes(b), ['2001:db8:2::/48 via 2001:db8::1'])
    assert.equal(peerOf(a, b).prefixes.advertised, 1)
    assert.equal(peerOf(a, b).gracefulRestart.endOfRibReceived, true, 'of both families')
  })

  test('does not go where only IPv4 was agreed on', async () => {
    const { cluster, a, b } = await pair(six('1'), {})
    a.speaker.originate(own('10.1.0.0/24', '2001:db8:1::/48'))
    cluster.run(1)
    assert.deepEqual(allRoutes(b), ['10.1.0.0/24'])
  })

  test('outlives a lost connection as long as IPv4 does', async () => {
    const { cluster, a, b } = await pair(six('1'), six('2'))
    a.speaker.originate(own('10.1.0.0/24', '2001:db8:1::/48'))
    cluster.run(1)
    cluster.network.crash(a.address)
    cluster.run(1)
    assert.deepEqual(allRoutes(b), ['10.1.0.0/24', '2001:db8:1::/48 via 2001:db8::1'])
    assert.equal(peerOf(b, a).prefixes.stale, 2)
    cluster.run(130)
    assert.deepEqual(allRoutes(b), [])
  })
})

describe('AS numbers', () => {
  const EXTERNAL = { b: { asn: 65001 } }

  test('local-as: the peer sees another AS, and the path shows both', async () => {
    const { cluster, a, b } = await pair({ asn: 65001, localAs: { asn: 65100, replace: false } }, { asn: 65100 }, EXTERNAL)
    a.speaker.originate(own('10.1.0.0/24'))
    b.speaker.originate(own('10.2.0.0/24'))
    cluster.run(1)
    const path = (member: Member, key: string) => member.speaker.learned().get(key)?.attributes.asPath[0]?.asns
    assert.deepEqual(path(b, '10.1.0.0/24'), [65100, 64512])
    assert.deepEqual(path(a, '10.2.0.0/24'), [65100, 65001])
  })

  test('local-as that replaces: the real AS does not show', async () => {
    const { cluster, a, b } = await pair({ asn: 65001, localAs: { asn: 65100, replace: true } }, { asn: 65100 }, EXTERNAL)
    a.speaker.originate(own('10.1.0.0/24'))
    cluster.run(1)
    assert.deepEqual(b.speaker.learned().get('10.1.0.0/24')?.attributes.asPath[0]?.asns, [65100])
  })

  test('local-as that is not prepended: paths come in as the peer told them', async () => {
    const localAs = { asn: 65100, replace: true, noPrepend: true }
    const { cluster, a, b } = await pair({ asn: 65001, localAs }, { asn: 65100 }, EXTERNAL)
    b.speaker.originate(own('10.2.0.0/24'))
    cluster.run(1)
    assert.deepEqual(a.speaker.learned().get('10.2.0.0/24')?.attributes.asPath[0]?.asns, [65001])
  })

  test('skip-loops: the other site would drop it, and is not even told', async () => {
    const told = async (ofHub: Partial<PeerConfig>) => {
      const { hub, right } = await sites({}, ofHub)
      return [peerOf(hub, right).prefixes.advertised, peerOf(right, hub).prefixes.received]
    }
    assert.deepEqual(await told({}), [1, 1], 'P0')
    assert.deepEqual(await told({ skipLoops: true }), [0, 0])
    assert.deepEqual(await told({ skipLoops: true, asOverride: true }), [1, 1], 'there is no loop where our AS stands for theirs')
  })

  /** Two sites of AS 65001 behind AS 64512. */
  async function sites(ofSite: Partial<PeerConfig>, ofHub: Partial<PeerConfig>) {
    const cluster = new Cluster()
    const hub = await cluster.member(A)
    const left = await cluster.member(B, { asn: 65001 })
    const right = await cluster.member('192.0.2.3', { asn: 65001 })
    hub.speaker.setPeers([left, right].map(site => ({ ...meshPeer(site.address, hub.address), asn: 65001, ...ofHub })))
    for (const site of [left, right]) site.speaker.setPeers([{ ...meshPeer(hub.address, site.address), ...ofSite }])
    left.speaker.originate(own('10.2.0.0/24'))
    cluster.run(5)
    return { hub, right }
  }

  test('a path with our own AS is a loop', async () => {
    const { right } = await sites({}, {})
    assert.deepEqual(
      right.speaker.explain('10.2.0.0/24').paths.map(({ verdict }) => verdict),
      [{ is: 'ineligible', why: 'as-path-loop' }],
    )
  })

  test('allow-own-as: so often it is none', async () => {
    const { right } = await sites({ allowOwnAs: 1 }, {})
    assert.deepEqual(learnedText(right), ['10.2.0.0/24 via 192.0.2.1'])
  })

  test('as-override: the hub puts itself in its place', async () => {
    const { right } = await sites({}, { asOverride: true })
    assert.deepEqual(right.speaker.learned().get('10.2.0.0/24')?.attributes.asPath[0]?.asns, [64512, 64512])
  })

  test('without a policy an external peer exchanges nothing where RFC 8212 is wanted', async () => {
    const { cluster, a, b } = await pair({ asn: 65001 }, { asn: 64512 }, { a: { withoutPolicy: 'refuse' }, b: { asn: 65001 } })
    a.speaker.originate(own('10.1.0.0/24'))
    b.speaker.originate(own('10.2.0.0/24'))
    cluster.run(1)
    assert.deepEqual([learnedText(a), learnedText(b)], [[], []])
    const [verdict] = a.speaker.explain('10.2.0.0/24').paths.map(path => path.verdict)
    assert.deepEqual(verdict, { is: 'refused', why: 'rejected by policy none towards another AS (RFC 8212)' })
  })
})

describe('a limit of prefixes', () => {
  const MAX = { limit: 2, warnAt: 100, restartAfter: millis(60_000) }

  test('one more ends the session with 6/1, and it may come again after its time', async () => {
    const log = recordingLog()
    const { cluster, a, b } = await pair({ maxPrefixes: MAX }, {}, { a: { log } })
    b.speaker.originate(own('10.1.0.0/24', '10.2.0.0/24'))
    cluster.run(1)
    assert.deepEqual(
      log.lines.filter(({ message }) => message === 'limit of prefixes is near').map(({ fields }) => fields?.['prefixes']),
      [2],
    )
    b.speaker.originate(own('10.1.0.0/24', '10.2.0.0/24', '10.3.0.0/24'))
    cluster.run(1)
    assert.deepEqual(learnedText(a), [])
    assert.match(
      peerOf(a, b).lastError?.text ?? '',
      /maximum number of prefixes reached \(6\/1\): more than 2 prefixes of ipv4-unicast/,
    )
    b.speaker.originate(own('10.1.0.0/24'))
    cluster.run(50)
    assert.notEqual(peerOf(a, b).state, 'established')
    cluster.run(70)
    assert.equal(peerOf(a, b).state, 'established')
    assert.deepEqual(learnedText(a), ['10.1.0.0/24 via 192.0.2.2'])
  })

  test('without a time it comes again when it is configured anew', async () => {
    const { cluster, a, b, reconfigureA } = await pair({ maxPrefixes: { ...MAX, restartAfter: undefined } })
    b.speaker.originate(own('10.1.0.0/24', '10.2.0.0/24', '10.3.0.0/24'))
    cluster.run(1000)
    assert.notEqual(peerOf(a, b).state, 'established')
    reconfigureA({ maxPrefixes: { ...MAX, limit: 3 } })
    cluster.run(70)
    assert.equal(learnedText(a).length, 3)
  })

  test('counts each family by itself', async () => {
    const six = { families: [IPV4_UNICAST, IPV6_UNICAST], localAddress6: ipv6('2001:db8::1') }
    const { cluster, a, b } = await pair({ ...six, maxPrefixes: MAX }, six)
    b.speaker.originate(own('10.1.0.0/24', '10.2.0.0/24', '2001:db8:1::/48', '2001:db8:2::/48'))
    cluster.run(1)
    assert.equal(peerOf(a, b).state, 'established')
    b.speaker.originate(own('2001:db8:1::/48', '2001:db8:2::/48', '2001:db8:3::/48'))
    cluster.run(1)
    assert.match(peerOf(a, b).lastError?.text ?? '', /more than 2 prefixes of ipv6-unicast/)
  })
})

describe('shutdown', () => {
  test('ends the session with the words, keeps it down, and is lifted again', async () => {
    const { cluster, a, b, reconfigureA } = await pair()
    a.speaker.originate(own('10.1.0.0/24'))
    cluster.run(1)
    reconfigureA({ shutdown: 'new cables' })
    cluster.run(1)
    assert.match(peerOf(b, a).lastError?.text ?? '', /administrative shutdown \(6\/2\): "new cables"/)
    cluster.run(60)
    assert.deepEqual(learnedText(b), [])
    assert.notEqual(peerOf(a, b).state, 'established')
    reconfigureA({})
    cluster.run(70)
    assert.deepEqual(learnedText(b), ['10.1.0.0/24 via 192.0.2.1'])
  })

  test('from the first moment there is no session', async () => {
    const { cluster, a, b } = await pair({ shutdown: '' })
    cluster.run(60)
    assert.equal(peerOf(a, b).state, 'idle')
    assert.equal(await a.speaker.settled, 'all-peers', 'nobody waits for it')
  })
})

describe('a change', () => {
  test('of what OPEN says begins the session anew with 6/6; of anything else it does not', async () => {
    const { cluster, a, b, reconfigureA } = await pair()
    a.speaker.originate(own('10.1.0.0/24'))
    cluster.run(1)
    for (const peer of [
      { importPolicy: [] },
      { name: 'other' },
      { maxPrefixes: { limit: 5, warnAt: 80, restartAfter: undefined } },
    ]) {
      reconfigureA(peer)
      cluster.run(5)
      assert.equal(peerOf(b, a).flaps, 0, Object.keys(peer).join())
    }
    reconfigureA({ holdTime: seconds(9) })
    cluster.run(10)
    assert.equal(peerOf(b, a).flaps, 1)
    assert.match(peerOf(b, a).lastError?.text ?? '', /other configuration change \(6\/6\)/)
    assert.equal(peerOf(b, a).session?.holdTimeSeconds, 9)
    assert.deepEqual(learnedText(b), ['10.1.0.0/24 via 192.0.2.1'])
  })
})

describe('RFC 8538', () => {
  const KEEPS = { keepOverNotification: true } as const

  test('routes outlive a NOTIFICATION and a hold timer, but not a shutdown', async () => {
    const { cluster, a, b, reconfigureA } = await pair({}, {}, { a: KEEPS, b: KEEPS })
    a.speaker.originate(own('10.1.0.0/24'))
    cluster.run(1)
    reconfigureA({ holdTime: seconds(9) })
    assert.deepEqual(learnedText(b), ['10.1.0.0/24 via 192.0.2.1'])
    cluster.network.cut(a.address, b.address)
    cluster.run(40)
    assert.deepEqual(learnedText(b), ['10.1.0.0/24 via 192.0.2.1 stale'])
    cluster.network.mend(a.address, b.address)
    cluster.run(70)
    assert.deepEqual(learnedText(b), ['10.1.0.0/24 via 192.0.2.1'])
    reconfigureA({ shutdown: 'for good' })
    cluster.run(1)
    assert.deepEqual(learnedText(b), [])
    assert.match(
      peerOf(b, a).lastError?.text ?? '',
      /hard reset \(6\/9\), for cease, administrative shutdown \(6\/2\): "for good"/,
    )
  })
})

describe('enhanced refresh', () => {
  /** A raw peer that speaks RFC 7313, established and told all. */
  async function met(says: Partial<Capabilities> = {}) {
    const cluster = new Cluster()
    const us = await cluster.member(A)
    us.speaker.originate(routes('10.1.0.0/24'))
    const address = ipv4('192.0.2.66')
    us.speaker.setPeers([{ ...meshPeer(address, us.address), passive: true }])
    const peer = new RawPeer()
    peer.dial(cluster.network.host(address), us.address)
    cluster.run(1)
    peer.greet({}, { enhancedRefresh: true, ...says })
    cluster.run(1)
    peer.say(...said('10.8.0.0/24', '10.9.0.0/24'), encodeEndOfRib())
    cluster.run(1)
    return { cluster, us, peer, network: cluster.network }
  }

  function said(...texts: readonly string[]): readonly Uint8Array[] {
    const block = encodeAttributes({ ...plainAttributes(ipv4('192.0.2.66')), localPref: 100 }, { kind: 'internal', asnOctets: 4 })
    return [encodeAnnouncement(block, texts.map(prefix))]
  }

  test('our answer has a begin and an end', async () => {
    const { cluster, peer } = await met()
    const before = peer.heard.length
    peer.say(encodeRouteRefresh(IPV4_UNICAST), encodeRouteRefresh(IPV6_UNICAST))
    cluster.run(1)
    const heard = peer.heard.slice(before).map(({ kind, body }) => {
      const refresh = kind === 'routeRefresh' ? decodeRouteRefresh(body) : undefined
      return refresh?.is === 'refresh' ? refresh.kind : kind
    })
    assert.deepEqual(heard, ['begin', 'update', 'end'])
  })

  test('before our first End-of-RIB it has none: the peer would drop what it has not heard yet', async () => {
    const cluster = new Cluster()
    const gracefulRestart = { restartTime: seconds(60), restarting: true, deferral: millis(60_000) }
    const us = await cluster.member(A, { gracefulRestart })
    us.speaker.originate(routes('10.1.0.0/24'))
    const address = ipv4('192.0.2.66')
    // An external peer that does not come may still tell routes that this one would hear.
    us.speaker.setPeers([
      { ...meshPeer(address, us.address), passive: true },
      { ...meshPeer(ipv4('198.51.100.1'), us.address), asn: 65001, passive: true },
    ])
    const peer = new RawPeer()
    peer.dial(cluster.network.host(address), us.address)
    cluster.run(1)
    peer.greet({}, { enhancedRefresh: true })
    cluster.run(1)
    peer.say(encodeRouteRefresh(IPV4_UNICAST))
    cluster.run(1)
    assert.deepEqual(peer.kinds, ['open', 'keepalive', 'update', 'update'])
  })

  test('what the peer does not repeat between begin and end goes', async () => {
    const { cluster, us, peer } = await met()
    peer.say(encodeRouteRefresh(IPV4_UNICAST, 'begin'), ...said('10.9.0.0/24'))
    cluster.run(1)
    assert.deepEqual(learnedText(us), ['10.8.0.0/24 via 192.0.2.66 stale', '10.9.0.0/24 via 192.0.2.66'])
    peer.say(encodeRouteRefresh(IPV4_UNICAST, 'end'))
    cluster.run(1)
    assert.deepEqual(learnedText(us), ['10.9.0.0/24 via 192.0.2.66'])
  })

  test('a begin before the end begins anew: what is not repeated yet stays', async () => {
    const { cluster, us, peer } = await met()
    peer.say(encodeRouteRefresh(IPV4_UNICAST, 'begin'), ...said('10.9.0.0/24'), encodeRouteRefresh(IPV4_UNICAST, 'begin'))
    cluster.run(1)
    assert.deepEqual(learnedText(us), ['10.8.0.0/24 via 192.0.2.66 stale', '10.9.0.0/24 via 192.0.2.66 stale'])
    peer.say(...said('10.8.0.0/24'), encodeRouteRefresh(IPV4_UNICAST, 'end'))
    cluster.run(1)
    assert.deepEqual(learnedText(us), ['10.8.0.0/24 via 192.0.2.66'])
  })

  test('End-of-RIB between begin and end ends nothing', async () => {
    const { cluster, us, peer } = await met()
    peer.say(encodeRouteRefresh(IPV4_UNICAST, 'begin'), encodeEndOfRib())
    cluster.run(1)
    assert.equal(learnedText(us).length, 2)
    peer.say(encodeRouteRefresh(IPV4_UNICAST, 'end'))
    cluster.run(1)
    assert.deepEqual(learnedText(us), [])
  })

  test('a peer that is lost before the end keeps all its routes for the restart time, and no longer', async () => {
    const restarting = { restarting: false, notification: false, restartTime: seconds(60) }
    const gracefulRestart = { ...restarting, families: [{ ...IPV4_UNICAST, forwarding: true }] }
    const { cluster, us, peer, network } = await met({ gracefulRestart })
    peer.say(encodeRouteRefresh(IPV4_UNICAST, 'begin'), ...said('10.9.0.0/24'))
    cluster.run(1)
    network.lose(us.address, ipv4('192.0.2.66'), 'both')
    cluster.run(1)
    assert.deepEqual(learnedText(us), ['10.8.0.0/24 via 192.0.2.66 stale', '10.9.0.0/24 via 192.0.2.66 stale'])
    cluster.run(60)
    assert.deepEqual(learnedText(us), [])
  })

  test('an end that never comes is waited for ten minutes; one without a begin means nothing', async () => {
    const { cluster, us, peer } = await met()
    peer.say(encodeRouteRefresh(IPV4_UNICAST, 'end'))
    cluster.run(1)
    assert.equal(learnedText(us).length, 2)
    peer.say(encodeRouteRefresh(IPV4_UNICAST, 'begin'))
    for (let beat = 0; beat < 61; beat++) {
      peer.say(KEEPALIVE)
      cluster.run(10)
    }
    assert.deepEqual(learnedText(us), [])
    assert.equal(peer.lastNotification === undefined ? '' : describeNotification(peer.lastNotification), '')
  })
})
