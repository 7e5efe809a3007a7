/** Roles and ONLY_TO_CUSTOMER between our speaker and real BIRD 2 and FRR. RFC 9234. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { type Attributes, plainAttributes } from '@network/bgp/attributes/attributes.ts'
import { markedTold, otcOf, type Role } from '@network/bgp/attributes/only-to-customer.ts'
import { OUR_ROUTES, start, type Us } from './ours.ts'
import { KINDS, thirdAsn } from './roles.ts'
import { FOREIGN_ROUTES, layRouterCable, type Router, THEIR_ROUTES, THEIRS, THIRD } from './routers.ts'
import { Third } from './third.ts'

const [OUR_ROUTE = ''] = OUR_ROUTES
const [THEIR_ROUTE = ''] = THEIR_ROUTES
const [FOREIGN = ''] = FOREIGN_ROUTES
const OUTSIDE = { asn: 65001 } as const
/** What we are, what it is, what our routes are marked with there, and its routes here. */
const FITTING: readonly { we: Role; it: Role; there: string | undefined; here: number | undefined }[] = [
  { we: 'provider', it: 'customer', there: '64512', here: undefined },
  { we: 'customer', it: 'provider', there: undefined, here: 65001 },
  { we: 'peer', it: 'peer', there: '64512', here: 65001 },
  { we: 'rs', it: 'rs-client', there: '64512', here: undefined },
  { we: 'rs-client', it: 'rs', there: undefined, here: 65001 },
]

before(layRouterCable)

for (const { name, make } of KINDS)
  describe(name, () => {
    for (const { we, it, there, here } of FITTING)
      test(`we are ${we} to it, and it is ${it} to us: routes carry what they must`, async () => {
        await using router = await make().play({ ...OUTSIDE, role: it, strictRole: true })
        await using us = await start({ peer: { ...OUTSIDE, role: we, strictRole: true } })
        await router.until('its routes here', () => us.heard().length === 3)
        assert.equal(otcOf(us.attributes(THEIR_ROUTE)), here)
        assert.equal(us.peer().session?.peerRole, it)
        const text = await router.until('our route there', async () => {
          const said = await router.route(OUR_ROUTE)
          return /10\.9\.0\.1/.test(said) ? said : undefined
        })
        const marked = /otc:?\s+(\d+)/i.exec(text)?.[1]
        // Who hears from above or beside marks by itself what came without.
        assert.equal(marked, there ?? (it === 'provider' || it === 'rs' ? undefined : '64512'))
      })

    test('roles that do not fit: 2/11, and no session', async () => {
      await using router = await make().play({ ...OUTSIDE, role: 'provider' })
      await using us = await start({ peer: { ...OUTSIDE, role: 'provider' } })
      await router.until('2/11', () => us.peer().lastError?.text.includes('role mismatch (2/11)'))
      assert.deepEqual(us.heard(), [])
    })

    test('it insists on a role and we say none: 2/11 from it', async () => {
      await using router = await make().play({ ...OUTSIDE, role: 'provider', strictRole: true })
      await using us = await start({ peer: OUTSIDE })
      await router.until('2/11', () => us.peer().lastError?.text.includes('(2/11)'))
      assert.equal(us.peer().lastError?.direction, 'received')
    })

    test('we insist on a role and it says none: 2/11 from us; without insisting there is a session', async () => {
      await using router = await make().play(OUTSIDE)
      await using us = await start({ peer: { ...OUTSIDE, role: 'provider', strictRole: true } })
      await router.until('2/11', () => us.peer().lastError?.text.includes('(2/11)'))
      assert.equal(us.peer().lastError?.direction, 'sent')
      us.reconfigure({ ...OUTSIDE, role: 'provider' })
      await router.until('its routes here', () => us.heard().length === 3)
    })

    test('what it leaks, not knowing its role, is not eligible here', async () => {
      await using router = await make().play({ ...OUTSIDE, third: thirdAsn('external') })
      await using us = await start({ peer: { ...OUTSIDE, role: 'provider' } })
      using third = await Third.meet(THEIRS, 'external', router)
      third.say(fromThird(65003))
      await router.until('the leak here', () => verdictOf(us) !== undefined)
      assert.deepEqual(verdictOf(us), { is: 'ineligible', why: 'route-leak' })
      third.say(fromThird(undefined))
      await router.until('P0: without the mark it is taken', () => verdictOf(us)?.is === 'best')
    })

    test('what it knows to be a leak it does not take from us', async () => {
      await using router: Router = await make().play({ ...OUTSIDE, role: 'provider' })
      await using us = await start({ peer: OUTSIDE, third: { asn: 65003, role: 'customer' } })
      using third = await Third.meet('10.9.0.1', 'external', router)
      third.say(fromThird(undefined))
      await router.until('the marked route here', () =>
        us.speaker.paths(FOREIGN).some(({ attributes }) => otcOf(attributes) === 65003),
      )
      await router.until('our own route there', async () => /10\.9\.0\.1/.test(await router.route(OUR_ROUTE)))
      assert.ok(
        [...us.speaker.adjOut(ipv4(THEIRS))].some(({ attributes }) => otcOf(attributes) === 65003),
        'P0: we did tell it',
      )
      assert.doesNotMatch(await router.route(FOREIGN), /best/i)
      us.reconfigure({ ...OUTSIDE, role: 'customer' })
      await router.until('a session with roles', () => us.peer().session?.peerRole === 'provider')
      const told = () => [...us.speaker.adjOut(ipv4(THEIRS))]
      await router.until('our own routes told', () => told().length === OUR_ROUTES.length)
      assert.ok(
        told().every(({ attributes }) => otcOf(attributes) === undefined),
        'now we do not even tell it',
      )
    })
  })

function fromThird(mark: number | undefined): Attributes {
  const plain: Attributes = { ...plainAttributes(ipv4(THIRD)), asPath: [{ kind: 'sequence', asns: [65003] }] }
  return mark === undefined ? plain : (markedTold(plain, 'provider', mark) ?? plain)
}

function verdictOf(us: Us) {
  return us.speaker.explain(FOREIGN).paths[0]?.verdict
}
