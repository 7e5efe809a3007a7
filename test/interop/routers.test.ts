/** Our speaker with a real BIRD 2 and a real FRR: as plain peers inside and outside, as reflectors and as clients, in both families. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { anyPrefix } from '@network/base/net/any-prefix.ts'
import { formatIpv4, ipv4 } from '@network/base/net/ipv4.ts'
import { formatIpv6, ipv6 } from '@network/base/net/ipv6.ts'
import { silentLog } from '@network/base/run/log.ts'
import { systemClock, systemRandom } from '@network/base/time/clock.ts'
import { millis, seconds } from '@network/base/time/units.ts'
import { acceptAll } from '@network/bgp/options.ts'
import { formatCommunity, formatExtendedCommunity, formatLargeCommunity } from '@network/bgp/policy/community-pattern.ts'
import type { Change, Policy } from '@network/bgp/policy/policy.ts'
import { type Origination, type PeerConfig, type PeerStatus, Speaker, type SpeakerOptions } from '@network/bgp/speaker.ts'
import { IPV4_UNICAST, IPV6_UNICAST } from '@network/bgp/wire/capabilities.ts'
import { BirdRouter, FrrRouter, layRouterCable, OURS, OURS6, type Router, THEIRS, THIRD } from './routers.ts'

const OUR_ROUTES = ['10.244.0.0/26', '2001:db8:244::/48']

const KINDS: readonly { readonly name: string; readonly make: () => Router }[] = [
  { name: 'BIRD', make: () => new BirdRouter() },
  { name: 'FRR', make: () => new FrrRouter() },
]

before(layRouterCable)

for (const { name, make } of KINDS)
  describe(name, () => {
    test('as a peer in another AS: both families both ways', async () => {
      await using router = await make().play({ asn: 65001 })
      await using us = await start({ peer: { asn: 65001 } })
      await router.until('its routes here', () => us.heard().length === 3)
      assert.deepEqual(us.heard(), [
        '10.20.0.0/24 via 10.9.0.2 path 65001',
        '10.21.0.0/24 via 10.9.0.2 path 65001',
        '2001:db8:20::/48 via fd00:9::2 path 65001',
      ])
      await told(router, OUR_ROUTES[0], [/10\.9\.0\.1/, /64512/])
      await told(router, OUR_ROUTES[1], [/fd00:9::1/, /64512/])
      assert.deepEqual(us.peer().messages.in.notification, 0)
    })

    test('as a peer in our AS: every attribute both ways', async () => {
      await using router = await make().play({ asn: 64512, dressed: true })
      await using us = await start({ peer: { exportPolicy: [DRESSED] } })
      await router.until('its routes here', () => us.heard().length === 3)
      for (const key of ['10.20.0.0/24', '2001:db8:20::/48']) {
        const attributes = us.attributes(key)
        assert.deepEqual(
          [attributes.localPref, attributes.med, attributes.origin, attributes.asPath],
          [250, 77, 'incomplete', []],
        )
        assert.deepEqual(attributes.communities.map(formatCommunity), ['64512:7'])
        assert.deepEqual(attributes.largeCommunities.map(formatLargeCommunity), ['64512:1:2'])
        assert.deepEqual(attributes.extendedCommunities.map(formatExtendedCommunity), ['rt:64512:5'])
      }
      for (const key of OUR_ROUTES)
        await told(router, key, [/incomplete/i, /250/, /77/, /64512[:,] ?7/, /64512[:,] ?1[:,] ?2/, /rt,? ?:?64512[:,] ?5/i])
    })

    test('as a reflector between two of us', async () => {
      await using router = await make().play({ asn: 64512, reflects: true })
      await using us = await start({ originate: ['10.1.0.0/24', '2001:db8:1::/48'] })
      await using third = await start({ address: THIRD, originate: ['10.3.0.0/24'] })
      await router.until('the third speaker’s route', () => us.heard().some(line => line.startsWith('10.3.0.0/24')))
      await router.until('ours there', () => third.heard().some(line => line.startsWith('2001:db8:1::/48')))
      const { originatorId, clusterList, nextHop } = us.attributes('10.3.0.0/24')
      assert.deepEqual([originatorId, clusterList, nextHop], [ipv4(THIRD), [ipv4('9.9.9.9')], ipv4(THIRD)])
    })

    test('as a client of ours', async () => {
      await using router = await make().play({ asn: 64512 })
      await using us = await start({ peer: { client: true }, third: { client: true }, clusterId: '8.8.8.8' })
      await using third = await start({ address: THIRD, to: OURS, originate: ['10.3.0.0/24', '2001:db8:3::/48'] })
      await router.until('its routes reflected', () => third.heard().length >= 3 + OUR_ROUTES.length)
      await told(router, '10.3.0.0/24', [/10\.9\.0\.3/, /8\.8\.8\.8/])
      await told(router, '2001:db8:3::/48', [/fd00:9::1/, /8\.8\.8\.8/])
      assert.deepEqual(third.attributes('10.20.0.0/24').originatorId, ipv4(THEIRS))
      assert.equal(us.peer().flaps, 0)
    })

    test('asks for everything again, and hears it', async () => {
      await using router = await make().play({ asn: 64512 })
      await using us = await start({})
      await told(router, OUR_ROUTES[0], [/10\.9\.0\.1/])
      const before = us.peer().messages
      await router.askAgain()
      await router.until('the request', () => us.peer().messages.in.routeRefresh > before.in.routeRefresh)
      await router.until('the answer', () => us.peer().messages.out.update > before.out.update)
      await told(router, OUR_ROUTES[0], [/10\.9\.0\.1/])
      assert.equal(us.peer().flaps, 0)
    })

    test('tells more than it may', async () => {
      await using router = await make().play({ asn: 64512 })
      await using us = await start({ peer: { maxPrefixes: { limit: 1, warnAt: 100, restartAfter: undefined } } })
      await router.until('6/1', () => us.peer().lastError?.text.includes('(6/1)'))
      assert.deepEqual(us.heard(), [])
      await router.until('the reason there', async () => /prefix/i.test(await router.session()))
    })

    test('is shut down with words, and comes back', async () => {
      await using router = await make().play({ asn: 64512 })
      await using us = await start({})
      await told(router, OUR_ROUTES[0], [/10\.9\.0\.1/])
      us.reconfigure({ shutdown: 'new cables' })
      await router.until('the words there', async () => /new cables/.test(await router.session()))
      us.reconfigure({})
      await router.until('its routes again', () => us.heard().length === 3)
    })

    test('dies and comes back: its routes stay meanwhile', async () => {
      await using router = await make().play({ asn: 64512, gracefulRestart: true })
      await using us = await start({})
      await router.until('all of it', () => us.peer().gracefulRestart.endOfRibReceived && us.heard().length === 3)
      await router.kill()
      await router.until('stale routes', () => us.peer().prefixes.stale === 3)
      assert.equal(us.heard().length, 3)
      await router.launch()
      await router.until('fresh routes', () => us.peer().state === 'established' && us.peer().prefixes.stale === 0)
      await router.until('all of it again', () => us.heard().length === 3)
    })

    test('is told of a change of policy without a new session', async () => {
      await using router = await make().play({ asn: 64512 })
      await using us = await start({})
      await told(router, OUR_ROUTES[0], [/10\.9\.0\.1/])
      us.reconfigure({ exportPolicy: [DRESSED], importPolicy: [REFUSED] })
      await told(router, OUR_ROUTES[0], [/250/, /77/])
      assert.deepEqual(us.heard(), [])
      us.reconfigure({ exportPolicy: [REFUSED] })
      await router.until('the withdrawal there', async () => !/10\.9\.0\.1/.test(await router.route('10.244.0.0/26')))
      await router.until('its routes again', () => us.heard().length === 3)
      assert.equal(us.peer().flaps, 0)
    })
  })

test('BIRD takes a route of more than 4096 octets', async () => {
  await using router = await new BirdRouter().play({ asn: 64512, extendedMessages: true })
  const values = Array.from({ length: 1500 }, (_, index) => 64512 * 65536 + index)
  const large: Policy = policy('large', [{ set: 'communities', how: 'add', values }])
  await using us = await start({ peer: { exportPolicy: [large] } })
  const text = await told(router, OUR_ROUTES[0], [/\(64512,1499\)/])
  assert.equal(text.match(/\(64512,\d+\)/g)?.length, 1500)
  assert.equal(us.peer().flaps, 0)
})

const DRESSED: Policy = policy('dressed', [
  { set: 'local-pref', value: 250 },
  { set: 'med', value: 77 },
  { set: 'origin', value: 'incomplete' },
  { set: 'communities', how: 'add', values: [64512 * 65536 + 7] },
  { set: 'large-communities', how: 'add', values: [{ global: 64512, local1: 1, local2: 2 }] },
  { set: 'extended-communities', how: 'add', values: [0x0002fc0000000005n] },
])
const REFUSED: Policy = { name: 'refused', rules: [], otherwise: 'reject' }

function policy(name: string, change: readonly Change[]): Policy {
  return { name, rules: [{ name: '1', when: [], change, verdict: 'accept' }], otherwise: 'reject' }
}

/** What the router prints of a route, once it says all this. */
async function told(router: Router, key: string | undefined, says: readonly RegExp[]): Promise<string> {
  assert.ok(key !== undefined)
  return router.until(`${key} with ${says.join(' ')}`, async () => {
    const text = await router.route(key)
    return says.every(pattern => pattern.test(text)) ? text : undefined
  })
}

interface StartOptions {
  readonly address?: string
  /** Whom it peers with. */
  readonly to?: string
  readonly originate?: readonly string[]
  readonly peer?: Partial<PeerConfig>
  /** Peers with the third speaker too, and how. */
  readonly third?: Partial<PeerConfig>
  readonly clusterId?: string
}

type Attributes = ReturnType<Speaker['paths']>[number]['attributes']

interface Us extends AsyncDisposable {
  /** Best paths from others: prefix, next hop and AS path. */
  heard(): readonly string[]
  attributes(key: string): Attributes
  peer(): PeerStatus
  reconfigure(peer: Partial<PeerConfig>): void
}

async function start({
  address = OURS,
  to = THEIRS,
  originate = OUR_ROUTES,
  peer = {},
  third,
  clusterId,
}: StartOptions): Promise<Us> {
  const speaker = new Speaker(optionsFor(address, clusterId))
  const peers = (changes: Partial<PeerConfig>) => [
    peerAt(to, changes),
    ...(third === undefined ? [] : [{ ...peerAt(THIRD, third), passive: true }]),
  ]
  speaker.originate(new Map(originate.map((text): [string, Origination] => [text, { prefix: anyPrefix(text) }])))
  speaker.setPeers(peers(peer))
  await speaker.start()
  return {
    heard: () =>
      [...speaker.routes()]
        .filter(({ source }) => source.kind !== 'local')
        .map(({ key, attributes }) => sayRoute(key, attributes))
        .sort(),
    attributes(key) {
      const [path] = speaker.paths(key).filter(({ source }) => source.kind !== 'local')
      assert.ok(path !== undefined, `a path to ${key}`)
      return path.attributes
    },
    peer() {
      const found = speaker.status().peers.find(each => each.address === to)
      assert.ok(found !== undefined)
      return found
    },
    reconfigure: changes => speaker.setPeers(peers(changes)),
    [Symbol.asyncDispose]: () => speaker.stop({ graceful: false }),
  }
}

function sayRoute(key: string, { nextHop, nextHop6, asPath }: Attributes): string {
  const via = nextHop6 === undefined ? formatIpv4(nextHop) : formatIpv6(nextHop6.address)
  const path = asPath.flatMap(({ asns }) => asns)
  return `${key} via ${via}${path.length === 0 ? '' : ` path ${path.join(' ')}`}`
}

function peerAt(address: string, changes: Partial<PeerConfig>): PeerConfig {
  return {
    address: ipv4(address),
    name: 'router',
    asn: 64512,
    port: 179,
    passive: false,
    dialAfter: millis(0),
    families: [IPV4_UNICAST, IPV6_UNICAST],
    localAddress6: ipv6(OURS6),
    ...changes,
  }
}

function optionsFor(address: string, clusterId: string | undefined): SpeakerOptions {
  return {
    routerId: ipv4(address),
    asn: 64512,
    listen: { address: ipv4(address), port: 179 },
    holdTime: seconds(9),
    connectRetry: millis(1000),
    gracefulRestart: { restartTime: seconds(120), restarting: false, deferral: millis(60_000) },
    importFilter: acceptAll,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    ...(clusterId === undefined ? {} : { clusterId: ipv4(clusterId) }),
  }
}
