/** Graceful shutdown between our speaker and real BIRD 2 and FRR, each of which leaves. RFC 8326. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { millis } from '@network/base/time/units.ts'
import { GRACEFUL_SHUTDOWN } from '@network/bgp/attributes/attributes.ts'
import { OUR_ROUTES, start } from './ours.ts'
import { KINDS } from './roles.ts'
import { layRouterCable, THEIR_ROUTES } from './routers.ts'

const [OUR_ROUTE = ''] = OUR_ROUTES
const [THEIR_ROUTE = ''] = THEIR_ROUTES
const PARTING = /65535[,:] ?0\b|gracefulShutdown|graceful-shutdown/i

before(layRouterCable)

for (const { name, make } of KINDS)
  for (const asn of [65001, 64512])
    describe(`${name} ${asn === 64512 ? 'inside' : 'outside'}`, () => {
      test('we drain: it hears that our routes are the last resort, and then 6/2 with our words', async () => {
        await using router = await make().play({ asn })
        await using us = await start({ peer: { asn } })
        await router.until('our route there', async () => /10\.9\.0\.1/.test(await router.route(OUR_ROUTE)))
        assert.doesNotMatch(await router.route(OUR_ROUTE), PARTING)
        const drained = us.speaker.drain({ delay: millis(1500), words: 'new kernel' })
        const text = await router.until('the community there', async () => {
          const said = await router.route(OUR_ROUTE)
          return PARTING.test(said) ? said : undefined
        })
        assert.match(text, asn === 64512 ? /local_pref: 0|localpref 0/i : /10\.9\.0\.1/)
        assert.equal(us.peer().flaps, 0)
        await drained
        await router.until('the words there', async () => /new kernel/.test(await router.session()))
        assert.doesNotMatch(await router.route(OUR_ROUTE), /10\.9\.0\.1/)
      })

      test('it drains: its routes are the last resort here', async () => {
        await using router = await make().play({ asn, drains: true })
        await using us = await start({ peer: { asn } })
        await router.until('its routes here', () => us.heard().length === 3)
        const { communities, localPref } = us.attributes(THEIR_ROUTE)
        assert.ok(communities.includes(GRACEFUL_SHUTDOWN))
        if (asn !== 64512) assert.equal(localPref, 0)
      })
    })
