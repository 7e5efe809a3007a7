/** Long-lived graceful restart between our speaker and real BIRD 2 and FRR, each of which dies and comes back. RFC 9494. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { LLGR_STALE } from '@network/bgp/attributes/attributes.ts'
import { OUR_ROUTES, start, type Us } from './ours.ts'
import { KINDS } from './roles.ts'
import { layRouterCable, OURS, type Router, THEIR_ROUTES } from './routers.ts'
import { Third } from './third.ts'

const [OUR_ROUTE = ''] = OUR_ROUTES
const [THEIR_ROUTE = ''] = THEIR_ROUTES
const OUTSIDE = { asn: 65001 } as const
const LONG = { restartTime: 2, staleTime: 60 } as const
const SHORT = { restartTime: 2, staleTime: 3 } as const

before(layRouterCable)

for (const { name, make } of KINDS)
  describe(name, () => {
    test('it is killed: its routes stay as the last resort, who takes no part hears that they are gone, and its return mends all', async () => {
      await using router = await make().play({ ...OUTSIDE, gracefulRestart: true, longLived: LONG })
      await using us = await start({ peer: OUTSIDE, third: { asn: 65003 }, longLived: LONG })
      using third = await Third.meet(OURS, 'external', router)
      await router.until('all of it', () => us.peer().gracefulRestart.endOfRibReceived && us.heard().length === 3)
      await router.until('its routes behind us', () => third.diary().includes(`+${THEIR_ROUTE}`))
      assert.equal(isLong(us), false)
      const heard = us.heard()
      await router.kill()
      await router.until('stale routes', () => us.peer().prefixes.stale === us.peer().prefixes.received)
      assert.equal(third.diary().includes(`-${THEIR_ROUTE}`), false, 'nobody hears of it yet')
      await router.until('the last resort', () => isLong(us) && us.peer().gracefulRestart.longLived)
      assert.deepEqual(us.heard(), heard)
      await router.until('the withdrawal behind us', () => third.diary().includes(`-${THEIR_ROUTE}`))
      await router.launch()
      await router.until('fresh routes', () => us.peer().state === 'established' && us.peer().prefixes.stale === 0 && !isLong(us))
      await router.until('all of them', () => us.heard().length === 3)
      assert.deepEqual(us.heard(), heard)
      await router.until(
        'them behind us again',
        () => third.diary().lastIndexOf(`+${THEIR_ROUTE}`) > third.diary().lastIndexOf(`-${THEIR_ROUTE}`),
      )
    })

    test('it is killed and never comes back: its routes go when the long time is over', async () => {
      await using router = await make().play({ ...OUTSIDE, gracefulRestart: true, longLived: SHORT })
      await using us = await start({ peer: OUTSIDE, longLived: SHORT })
      await router.until('all of it', () => us.peer().gracefulRestart.endOfRibReceived && us.heard().length === 3)
      await router.kill()
      await router.until('the last resort', () => isLong(us))
      await router.until('the end of it', () => us.heard().length === 0)
      assert.equal(us.peer().gracefulRestart.helping, false)
    })

    test('we die: it keeps our routes as the last resort, and our return mends all', async () => {
      await using router = await make().play({ ...OUTSIDE, gracefulRestart: true, longLived: LONG })
      await using first = await start({ peer: OUTSIDE, longLived: LONG })
      await told(router, /10\.9\.0\.1/)
      await router.until('all of it', () => first.peer().gracefulRestart.endOfRibReceived)
      assert.doesNotMatch(await router.route(OUR_ROUTE), STALE)
      await first.speaker.stop({ graceful: true })
      const text = await told(router, STALE)
      assert.match(text, /10\.9\.0\.1/)
      await using second = await start({ peer: OUTSIDE, longLived: LONG, restarting: true })
      await router.until('its routes here again', () => second.heard().length === 3)
      await router.until('our route fresh there', async () => {
        const said = await router.route(OUR_ROUTE)
        return /10\.9\.0\.1/.test(said) && !STALE.test(said)
      })
    })

    test('P0: with a long time of 0 our routes are gone there after the restart time', async () => {
      await using router = await make().play({ ...OUTSIDE, gracefulRestart: true, longLived: LONG })
      await using first = await start({ peer: OUTSIDE, longLived: { restartTime: 2, staleTime: 0 } })
      await told(router, /10\.9\.0\.1/)
      await router.until('all of it', () => first.peer().gracefulRestart.endOfRibReceived)
      await first.speaker.stop({ graceful: true })
      await router.until('no route', async () => !/10\.9\.0\.1/.test(await router.route(OUR_ROUTE)))
    })
  })

/** As BIRD and FRR print the community. */
const STALE = /65535[,:] ?6\b|llgr-stale/i

function isLong(us: Us): boolean {
  return us.speaker.paths(THEIR_ROUTE).some(({ attributes }) => attributes.communities.includes(LLGR_STALE))
}

function told(router: Router, says: RegExp): Promise<string> {
  return router.until(`${OUR_ROUTE} with ${says}`, async () => {
    const text = await router.route(OUR_ROUTE)
    return says.test(text) ? text : undefined
  })
}
