/** Every attribute, both ways, through a real BIRD and a real FRR in every part: as they print it, octet for octet. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { ipv6 } from '@network/base/net/ipv6.ts'
import { NOWHERE, plainAttributes } from '@network/bgp/attributes/attributes.ts'
import type { Attributes } from '@network/bgp/speaker.ts'
import { start } from './ours.ts'
import { KINDS, type Kind, ourHalf, ROLES, type RoleName, thirdAsn } from './roles.ts'
import { FOREIGN_ROUTES, FOREIGN_ROUTES6, layRouterCable, OURS, OURS6, THEIRS, THEIRS6, THIRD } from './routers.ts'
import { THIRD6, Third } from './third.ts'

/** BIRD prints attributes that it does not know. */
const PRINTS_UNKNOWN = { BIRD: true, FRR: false }
/** BIRD leaves next hops of another one on the same link what they are towards another AS (RFC 4271 §5.1.3). */
const KEEPS_THIRD_PARTY = { BIRD: true, FRR: false }

const UNKNOWN = { code: 240, body: Uint8Array.of(0xab, 0xcd, 0xef), partial: false }
/** Somebody on the way did not understand it. */
const HANDED_ON: Partial<Attributes> = { opaque: [{ ...UNKNOWN, partial: true }] }
const KEYS = [...FOREIGN_ROUTES, ...FOREIGN_ROUTES6]

type Changes = Partial<Attributes>

/** What becomes of attributes from the third through us to the router, and through the router to us. */
const ON_THE_WAY: Readonly<Record<RoleName, { readonly throughUs: Changes; readonly throughIt: Changes }>> = {
  'a plain peer outside': {
    throughUs: { asPath: path(64512, 65003, 64999, 4200000001), med: undefined, ...via(OURS, OURS6) },
    throughIt: { asPath: path(65001, 65003, 64999, 4200000001), med: undefined, ...via(THEIRS, THEIRS6) },
  },
  'a plain peer inside': { throughUs: { localPref: 100 }, throughIt: { localPref: 100 } },
  'our reflector': {
    throughUs: { localPref: 100 },
    throughIt: { clusterList: [ipv4('9.9.9.9'), ipv4('7.7.7.1'), ipv4('7.7.7.2')] },
  },
  'our client': {
    throughUs: { clusterList: [ipv4('8.8.8.8'), ipv4('7.7.7.1'), ipv4('7.7.7.2')] },
    throughIt: { localPref: 100 },
  },
}

before(layRouterCable)

for (const { name, make } of KINDS)
  for (const role of ROLES)
    describe(`${name} as ${role.name}`, () => {
      const { throughUs, throughIt } = ON_THE_WAY[role.name]
      const part = { ...role.part, third: thirdAsn(role.thirdToRouter) }

      test('every attribute from us, IPv4 and IPv6, as it prints them', async () => {
        await using router = await make().play(part)
        await using us = await start({ ...ourHalf(role), third: { asn: thirdAsn(role.thirdToUs) } })
        using beyond = await Third.meet(THEIRS, role.thirdToRouter, router)
        using third = await Third.meet(OURS, role.thirdToUs, router)
        await router.until('our session', () => us.peer().state === 'established')
        third.say(saidBy(role.thirdToUs))
        for (const key of KEYS) {
          await router.until(`${key} there`, async () => (await router.attributes(key)).length > 0)
          assert.deepEqual(await router.attributes(key), router.inItsWords(onItsWay(saidBy(role.thirdToUs), key, throughUs)))
        }
        const isBeyond = () => PRINTS_UNKNOWN[name] || beyond.heard('e0f003abcdef') === KEYS.length
        await router.until('the unknown attribute behind it, with Partial', isBeyond)
        assert.equal(us.peer().messages.in.notification, 0)
      })

      test('every attribute from it, IPv4 and IPv6, as it prints them and as we hold them', async () => {
        await using router = await make().play(part)
        await using us = await start(ourHalf(role))
        using third = await Third.meet(THEIRS, role.thirdToRouter, router)
        await router.until('our session', () => us.peer().state === 'established')
        third.say(saidBy(role.thirdToRouter))
        const hops = KEEPS_THIRD_PARTY[name] ? via(THIRD, THIRD6) : {}
        for (const key of KEYS) {
          await router.until(`${key} here`, () => us.speaker.paths(key).length > 0)
          assert.deepEqual(await router.attributes(key), router.inItsWords(onItsWay(saidBy(role.thirdToRouter), key, {})))
          const told = onItsWay(saidBy(role.thirdToRouter), key, { ...throughIt, ...HANDED_ON, ...hops })
          assert.deepEqual(us.attributes(key), told)
        }
        assert.equal(us.peer().flaps, 0)
      })
    })

/** Both next hops: each route has the one of its family. */
function via(four: string, six: string): Changes {
  return { nextHop: ipv4(four), nextHop6: { address: ipv6(six), linkLocal: undefined } }
}

function path(...asns: readonly number[]): Attributes['asPath'] {
  return [{ kind: 'sequence', asns }]
}

function onItsWay(said: Attributes, key: string, changes: Changes): Attributes {
  const { nextHop, nextHop6, ...others } = { ...said, ...via(THIRD, THIRD6), ...changes }
  return key.includes(':') ? { ...others, nextHop: NOWHERE, nextHop6 } : { ...others, nextHop, nextHop6: undefined }
}

/** All that there is. */
function saidBy(kind: Kind): Attributes {
  const inside = kind === 'internal'
  return {
    ...plainAttributes(ipv4(THIRD)),
    origin: 'incomplete',
    asPath: inside ? path(65010, 4200000001) : path(65003, 64999, 4200000001),
    med: 77,
    localPref: inside ? 250 : undefined,
    atomicAggregate: true,
    aggregator: { asn: 4200000001, address: ipv4('192.0.2.77') },
    communities: [64512 * 65536 + 7, 65000 * 65536 + 1],
    originatorId: inside ? ipv4('7.7.7.7') : undefined,
    clusterList: inside ? [ipv4('7.7.7.1'), ipv4('7.7.7.2')] : [],
    extendedCommunities: [0x0002fc0000000005n, 0x0003fde800000009n],
    largeCommunities: [
      { global: 64512, local1: 1, local2: 2 },
      { global: 4200000001, local1: 3, local2: 4294967295 },
    ],
    opaque: [UNKNOWN],
  }
}
