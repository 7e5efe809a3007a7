/** Roles of neighbouring ASes, and what keeps routes from leaking between them. RFC 9234. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { millis } from '@network/base/time/units.ts'
import { type Attributes, plainAttributes } from './attributes/attributes.ts'
import { isLeak, markedHeard, markedTold, otcOf, type Role } from './attributes/only-to-customer.ts'
import type { PeerConfig } from './options.ts'
import { Cluster, type Member, meshPeer, peerOf, routes } from './testing/cluster.ts'

const PLAIN = plainAttributes(ipv4('192.0.2.9'))
const marked = (asn: number): Attributes => markedTold(PLAIN, 'provider', asn) ?? PLAIN

describe('ONLY_TO_CUSTOMER', () => {
  test('is four octets, read back as they were written', () => {
    assert.equal(otcOf(PLAIN), undefined)
    assert.equal(otcOf(marked(4294967295)), 4294967295)
    assert.equal(otcOf({ ...PLAIN, opaque: [{ code: 35, body: Uint8Array.of(1, 2), partial: false }] }), undefined)
  })

  const cases: readonly {
    we: Role
    leak: readonly number[]
    heard: number | undefined
    told: number | undefined
    passes: boolean
  }[] = [
    { we: 'provider', leak: [7, 65001], heard: undefined, told: 64512, passes: true },
    { we: 'rs', leak: [7, 65001], heard: undefined, told: 64512, passes: true },
    { we: 'peer', leak: [7], heard: 65001, told: 64512, passes: false },
    { we: 'customer', leak: [], heard: 65001, told: undefined, passes: false },
    { we: 'rs-client', leak: [], heard: 65001, told: undefined, passes: false },
  ]
  for (const { we, leak, heard, told, passes } of cases) {
    test(`as ${we}: what of AS 65001 is a leak, and what it is marked with`, () => {
      assert.deepEqual(
        [7, 65001].filter(asn => isLeak(marked(asn), we, 65001)),
        leak,
      )
      assert.equal(isLeak(PLAIN, we, 65001), false, 'without a mark nothing is')
      assert.equal(otcOf(markedHeard(PLAIN, we, 65001)), heard)
      assert.equal(otcOf(markedHeard(marked(7), we, 65001)), 7, 'a mark is never changed')
    })

    test(`as ${we}: what may be told, and with which mark`, () => {
      const plain = markedTold(PLAIN, we, 64512)
      assert.ok(plain !== undefined)
      assert.equal(otcOf(plain), told)
      const again = markedTold(marked(7), we, 64512)
      assert.equal(again === undefined ? undefined : otcOf(again), passes ? 7 : undefined)
    })
  }
})

/** A line of ASes 65001, 65002 and so on; each pair says what the left one is to the right one, and the right one to the left one. */
async function line(...pairs: readonly { readonly left: Partial<PeerConfig>; readonly right: Partial<PeerConfig> }[]) {
  const cluster = new Cluster()
  const members: Member[] = []
  for (let at = 0; at <= pairs.length; at++) members.push(await cluster.member(`192.0.2.${at + 1}`, { asn: 65001 + at }))
  const declare = (is: typeof pairs) => {
    for (const [at, member] of members.entries()) {
      const to = (other: Member | undefined, asn: number, says: Partial<PeerConfig> | undefined) =>
        other === undefined ? [] : [{ ...meshPeer(other.address, member.address), asn, ...says }]
      member.speaker.setPeers([
        ...to(members[at - 1], 65000 + at, is[at - 1]?.right),
        ...to(members[at + 1], 65002 + at, is[at]?.left),
      ])
    }
  }
  declare(pairs)
  members[0]?.speaker.originate(routes('10.1.0.0/24'))
  cluster.run(10)
  return { cluster, members, declare }
}

const sells = { left: { role: 'provider' }, right: { role: 'customer' } } as const
const buys = { left: { role: 'customer' }, right: { role: 'provider' } } as const
const swaps = { left: { role: 'peer' }, right: { role: 'peer' } } as const
const silent = { left: {}, right: {} }

function known(members: readonly Member[]): readonly string[] {
  return members.slice(1).map(({ speaker }) => {
    const route = speaker.learned().get('10.1.0.0/24')
    return route === undefined ? '-' : `${otcOf(route.attributes) ?? 'unmarked'}`
  })
}

describe('speakers with roles', () => {
  test('tell customers everything, marked from the first step down on', async () => {
    assert.deepEqual(known((await line(sells, sells)).members), ['65001', '65001'])
  })

  test('go up, once sideways, and down: no valley, whatever the policies say', async () => {
    assert.deepEqual(known((await line(buys, swaps, sells)).members), ['unmarked', '65002', '65002'])
    assert.deepEqual(known((await line(sells, buys)).members), ['65001', '-'], 'a customer does not tell another provider')
    assert.deepEqual(known((await line(swaps, swaps)).members), ['65001', '-'], 'a peer does not tell another peer')
  })

  test('a leak of one who knows no roles is not eligible, and why says so', async () => {
    const careless = { left: {}, right: { role: 'provider' } } as const
    const { cluster, members, declare } = await line(sells, careless)
    assert.deepEqual(known(members), ['65001', '-'])
    const leaked = members[2]?.speaker.explain('10.1.0.0/24').paths.map(({ verdict }) => verdict)
    assert.deepEqual(leaked, [{ is: 'ineligible', why: 'route-leak' }])
    declare([sells, silent])
    cluster.run(10)
    assert.deepEqual(known(members), ['65001', '65001'], 'P0: without a role there it is taken')
  })

  test('what comes down unmarked is marked on arrival, and does not go up or sideways from there', async () => {
    const below = { left: {}, right: { role: 'customer' } } as const
    assert.deepEqual(known((await line(below, buys)).members), ['65001', '-'])
    assert.deepEqual(known((await line(below, sells)).members), ['65001', '65001'])
  })

  test('the mark passes through an AS unchanged', async () => {
    const cluster = new Cluster()
    const [above, edge, inside] = [
      await cluster.member('192.0.2.1', { asn: 65001 }),
      await cluster.member('192.0.2.2'),
      await cluster.member('192.0.2.3'),
    ]
    above.speaker.setPeers([{ ...meshPeer(edge.address, above.address), role: 'provider' }])
    edge.speaker.setPeers([
      { ...meshPeer(above.address, edge.address), asn: 65001, role: 'customer' },
      { ...meshPeer(inside.address, edge.address), role: 'customer' },
    ])
    inside.speaker.setPeers([meshPeer(edge.address, inside.address)])
    above.speaker.originate(routes('10.1.0.0/24'))
    cluster.run(10)
    assert.deepEqual(known([above, edge, inside]), ['65001', '65001'])
    assert.equal(peerOf(inside, edge).session?.peerRole, null, 'no role is said inside')
    assert.equal(peerOf(edge, above).session?.peerRole, 'provider')
  })
})

describe('a role', () => {
  const refused = (member: Member | undefined) => member?.speaker.status().peers[0]?.lastError?.text

  test('that does not fit: 2/11, on both sides', async () => {
    const { members } = await line({ left: { role: 'customer' }, right: { role: 'peer' } })
    assert.match(`${refused(members[0])} ${refused(members[1])}`, /role mismatch \(2\/11\)/)
    assert.deepEqual(known(members), ['-'])
  })

  test('that is not said is no obstacle, unless the operator insists', async () => {
    assert.deepEqual(known((await line({ left: {}, right: { role: 'customer' } })).members), ['65001'])
    const strict = await line({ left: {}, right: { role: 'customer', strictRole: true } })
    assert.match(refused(strict.members[1]) ?? '', /2\/11.*says no role, provider is wanted/)
    assert.deepEqual(known(strict.members), ['-'])
  })

  test('that is changed begins the session anew', async () => {
    const { cluster, members, declare } = await line(silent)
    declare([sells])
    cluster.run(10)
    assert.deepEqual(known(members), ['65001'])
    assert.equal(members[0]?.speaker.status().peers[0]?.flaps, 1)
    cluster.clock.advance(millis(1000))
    assert.equal(members[0]?.speaker.status().peers[0]?.session?.peerRole, 'customer')
  })
})
