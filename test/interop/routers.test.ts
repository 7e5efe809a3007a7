/** Our speaker with a real BIRD 2 and a real FRR in every part: plain peers inside and outside, reflectors and clients, in both families. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { ipv6 } from '@network/base/net/ipv6.ts'
import { plainAttributes } from '@network/bgp/attributes/attributes.ts'
import type { Change, Policy } from '@network/bgp/policy/policy.ts'
import type { Attributes, PeerStatus } from '@network/bgp/speaker.ts'
import { OUR_ROUTES, start } from './ours.ts'
import { KINDS, type Kind, ourHalf, ROLES, thirdAsn } from './roles.ts'
import { FOREIGN_ROUTES, layRouterCable, OURS6, type Router, THEIR_ROUTES, THEIR_ROUTES6, THEIRS, THIRD } from './routers.ts'
import { THIRD6, Third } from './third.ts'

const [OUR_ROUTE, OUR_ROUTE6] = OUR_ROUTES
const ITS_ROUTES = [...THEIR_ROUTES, ...THEIR_ROUTES6]

before(layRouterCable)

for (const { name, make } of KINDS)
  for (const role of ROLES)
    describe(`${name} as ${role.name}`, () => {
      const { part } = role
      const isOutside = part.asn !== 64512

      test('a session, and the routes of both families both ways', async () => {
        await using router = await make().play(part)
        await using us = await start(ourHalf(role))
        await router.until('its routes here', () => us.heard().length === 3)
        const path = isOutside ? ' path 65001' : ''
        assert.deepEqual(us.heard(), [
          `10.20.0.0/24 via 10.9.0.2${path}`,
          `10.21.0.0/24 via 10.9.0.2${path}`,
          `2001:db8:20::/48 via fd00:9::2${path}`,
        ])
        await told(router, OUR_ROUTE, isOutside ? [/10\.9\.0\.1/, /64512/] : [/10\.9\.0\.1/])
        await told(router, OUR_ROUTE6, isOutside ? [/fd00:9::1/, /64512/] : [/fd00:9::1/])
        us.originate('10.244.0.64/26')
        await told(router, '10.244.0.64/26', [/10\.9\.0\.1/])
        await untold(router, OUR_ROUTE)
        await untold(router, OUR_ROUTE6)
        assert.equal(us.peer().messages.in.notification, 0)
        assert.equal(us.peer().flaps, 0)
      })

      test('it asks for everything again, and hears it', async () => {
        await using router = await make().play(part)
        await using us = await start(ourHalf(role))
        await told(router, OUR_ROUTE, [/10\.9\.0\.1/])
        const before = us.peer().messages
        await router.askAgain()
        await router.until('the request', () => us.peer().messages.in.routeRefresh > before.in.routeRefresh)
        await router.until('the answer', () => us.peer().messages.out.update > before.out.update)
        await told(router, OUR_ROUTE, [/10\.9\.0\.1/])
        assert.equal(us.peer().flaps, 0)
      })

      test('we ask for everything again, and hear it between the begin and the end of an enhanced refresh', async () => {
        await using router = await make().play(part)
        await using us = await start(ourHalf(role))
        await router.until('its routes here', () => us.heard().length === 3)
        await router.until('all of it', () => us.peer().gracefulRestart.endOfRibReceived)
        const before = us.peer().messages.in
        const heard = us.changes.length
        assert.equal(us.speaker.clear(ipv4(THEIRS), { is: 'in' }), 'asked')
        const hasEnded = () => us.peer().messages.in.routeRefresh === before.routeRefresh + 4
        await router.until('begin and end of both families', hasEnded)
        await router.until('the answer', () => us.peer().messages.in.update >= before.update + 2)
        assert.deepEqual([us.peer().prefixes.stale, us.heard().length], [0, 3])
        assert.equal(us.changes.length, heard, 'nothing has changed')
      })

      test('it is told of a change of policy without a new session', async () => {
        await using router = await make().play(part)
        await using us = await start(ourHalf(role))
        await told(router, OUR_ROUTE, [/10\.9\.0\.1/])
        await router.until('its routes here', () => us.heard().length === 3)
        us.reconfigure({ ...role.peer, exportPolicy: [DRESSED], importPolicy: [REFUSED] })
        await told(router, OUR_ROUTE, [/77/, /64512[:,] ?7/])
        assert.deepEqual(us.heard(), [])
        assert.deepEqual(
          us.speaker.explain(ITS_ROUTES[0] ?? '').paths.map(({ verdict }) => verdict),
          [{ is: 'refused', why: 'rejected by policy refused' }],
        )
        us.reconfigure({ ...role.peer, exportPolicy: [REFUSED] })
        await untold(router, OUR_ROUTE)
        await router.until('its routes again', () => us.heard().length === 3)
        assert.equal(us.peer().flaps, 0)
      })

      test('it tells more than it may: 6/1', async () => {
        await using router = await make().play(part)
        await using us = await start(ourHalf(role, { maxPrefixes: { limit: 1, warnAt: 100, restartAfter: undefined } }))
        await router.until('6/1', () => us.peer().lastError?.text.includes('(6/1)'))
        assert.equal(us.peer().lastError?.direction, 'sent')
        assert.deepEqual(us.heard(), [])
        await router.until('the reason there', async () => /prefix/i.test(await router.session()))
      })

      test('we tell more than we may: 6/1', async () => {
        await using router = await make().play({ ...part, limit: 1 })
        await using us = await start({ ...ourHalf(role), originate: ['10.244.0.0/26'] })
        await told(router, '10.244.0.0/26', [/10\.9\.0\.1/])
        const many = ['10.244.0.0/26']
        // FRR counts what it has worked off: it needs to hear more once the limit is passed.
        const isSentAway = () => us.peer().lastError?.text.includes('(6/1)')
        await router.until('6/1', () => {
          many.push(`10.244.${many.length}.0/26`)
          us.originate(...many)
          return isSentAway()
        })
        assert.equal(us.peer().lastError?.direction, 'received')
      })

      test('it is shut down with words, and comes back', async () => {
        await using router = await make().play(part)
        await using us = await start(ourHalf(role))
        await told(router, OUR_ROUTE, [/10\.9\.0\.1/])
        us.reconfigure({ ...role.peer, shutdown: 'new cables' })
        await router.until('the words there', async () => /new cables/.test(await router.session()))
        us.reconfigure(role.peer)
        await router.until('its routes again', () => us.heard().length === 3)
      })

      test('it is reset with words, and comes back by itself', async () => {
        await using router = await make().play(part)
        await using us = await start(ourHalf(role))
        await told(router, OUR_ROUTE, [/10\.9\.0\.1/])
        assert.equal(us.speaker.clear(ipv4(THEIRS), { is: 'hard', words: 'new line card' }), 'reset')
        await router.until('its routes again', () => us.peer().flaps === 1 && us.heard().length === 3)
        await told(router, OUR_ROUTE, [/10\.9\.0\.1/])
      })

      test('a route of more than 4096 octets, from us and from it', async () => {
        const asked = { ...part, third: thirdAsn(role.thirdToRouter), extendedMessages: true } as const
        await using router = await make().play(asked)
        await using us = await start(ourHalf(role, { exportPolicy: [LARGE] }))
        using third = await Third.meet(THEIRS, role.thirdToRouter, router)
        // FRR prints no more than some 8 kB of them: what it hands on has them all.
        await router.until('all communities behind it', () => third.heard(HEX_OF_MANY) > 0)
        third.say({ ...plainFrom(role.thirdToRouter), communities: MANY })
        await router.until('the large route here', () => us.speaker.paths(FOREIGN).length > 0)
        assert.deepEqual(us.attributes(FOREIGN).communities, MANY)
        assert.equal(us.peer().flaps, 0)
      })

      if (name === 'BIRD')
        test('IPv4 over an IPv6 next hop, from us and from it (RFC 8950)', async () => {
          const asked = { ...part, third: thirdAsn(role.thirdToRouter), ipv4OverIpv6: true } as const
          await using router = await make().play(asked)
          await using us = await start(ourHalf(role, { ipv4OverIpv6: true, exportPolicy: [OVER6] }))
          await told(router, OUR_ROUTE, [/fd00:9::1/])
          using third = await Third.meet(THEIRS, role.thirdToRouter, router)
          third.sayIpv4OverIpv6(plainFrom(role.thirdToRouter))
          await router.until('the route here', () => us.speaker.paths(FOREIGN).length > 0)
          assert.deepEqual(us.attributes(FOREIGN).nextHop6, { address: ipv6(THIRD6), linkLocal: undefined })
          assert.equal(us.peer().flaps, 0)
        })
      else
        test('IPv4 over an IPv6 next hop: it offers that over IPv6 only, and is not told over IPv4 (RFC 8950)', async () => {
          await using router = await make().play({ ...part, ipv4OverIpv6: true })
          await using us = await start(ourHalf(role, { ipv4OverIpv6: true, exportPolicy: [OVER6] }))
          await told(router, OUR_ROUTE6, [/fd00:9::1/])
          await untold(router, OUR_ROUTE)
          assert.deepEqual([us.peer().prefixes.advertised, us.peer().flaps], [1, 0])
        })

      test('it dies and comes back: none of its routes is withdrawn meanwhile', async () => {
        await using router = await make().play({ ...part, gracefulRestart: true })
        await using us = await start(ourHalf(role))
        await router.until('all of it', () => us.peer().gracefulRestart.endOfRibReceived && us.heard().length === 3)
        const [heard, changes] = [us.heard(), us.changes.length]
        await router.kill()
        const isStale = ({ stale, received }: PeerStatus['prefixes']) => stale === received && received >= 3
        await router.until('stale routes', () => isStale(us.peer().prefixes))
        assert.deepEqual(us.heard(), heard)
        await router.launch()
        const isBack = () => us.peer().state === 'established' && !us.peer().gracefulRestart.helping
        await router.until('fresh routes', () => isBack() && us.peer().prefixes.stale === 0)
        assert.deepEqual(us.heard(), heard)
        assert.equal(us.changes.length, changes, 'nobody heard of a change')
        await told(router, OUR_ROUTE, [/10\.9\.0\.1/])
      })

      test('we die and come back: none of our routes is withdrawn meanwhile, but what we do not repeat is', async () => {
        await using router = await make().play({ ...part, gracefulRestart: true, third: thirdAsn(role.thirdToRouter) })
        using third = await Third.meet(THEIRS, role.thirdToRouter, router)
        await using first = await start({ ...ourHalf(role), originate: [...OUR_ROUTES, '10.244.0.64/26'] })
        await router.until('our routes behind it', () => OUR_ROUTES.every(key => third.diary().includes(`+${key}`)))
        await router.until('all of it', () => first.peer().gracefulRestart.endOfRibReceived)
        const before = third.diary().length
        await first.speaker.stop({ graceful: true })
        await using second = await start({ ...ourHalf(role), restarting: true })
        await router.until('its routes here again', () => second.heard().filter(line => !line.startsWith(FOREIGN)).length === 3)
        await untold(router, '10.244.0.64/26')
        await router.until('the withdrawal behind it', () => third.diary().includes('-10.244.0.64/26'))
        const since = third.diary().slice(before)
        assert.deepEqual(
          since.filter(line => line.startsWith('-')),
          ['-10.244.0.64/26'],
        )
        await told(router, OUR_ROUTE, [/10\.9\.0\.1/])
      })
    })

const FOREIGN = FOREIGN_ROUTES[0] ?? ''
const MANY = Array.from({ length: 1500 }, (_, index) => 64512 * 65536 + index)
const HEX_OF_MANY = MANY.map(each => each.toString(16)).join('')
const LARGE = policy('large', [{ set: 'communities', how: 'add', values: MANY }])
const OVER6 = policy('over IPv6', [{ set: 'next-hop6', to: ipv6(OURS6) }])
const DRESSED = policy('dressed', [
  { set: 'med', value: 77 },
  { set: 'communities', how: 'add', values: [64512 * 65536 + 7] },
])
const REFUSED: Policy = { name: 'refused', rules: [], otherwise: 'reject' }

function policy(name: string, change: readonly Change[]): Policy {
  return { name, rules: [{ name: '1', when: [], change, verdict: 'accept' }], otherwise: 'reject' }
}

function plainFrom(kind: Kind): Attributes {
  const plain = plainAttributes(ipv4(THIRD))
  return kind === 'internal' ? { ...plain, localPref: 100 } : { ...plain, asPath: [{ kind: 'sequence', asns: [65003] }] }
}

/** What the router prints of a route, once it says all this. */
async function told(router: Router, key: string | undefined, says: readonly RegExp[]): Promise<string> {
  assert.ok(key !== undefined)
  return router.until(`${key} with ${says.join(' ')}`, async () => {
    const text = await router.route(key)
    return says.every(pattern => pattern.test(text)) ? text : undefined
  })
}

/** Once the router knows nothing of the route. */
async function untold(router: Router, key: string | undefined): Promise<void> {
  assert.ok(key !== undefined)
  await router.until(`no ${key}`, async () => !/10\.9\.0\.1|fd00:9::1/.test(await router.route(key)))
}
