/** Reflection among whole speakers in memory, held to a slow and obvious model. RFC 4456. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { formatIpv4, ipv4 } from '@network/base/net/ipv4.ts'
import { prefix } from '@network/base/net/prefix.ts'
import { seededRandom } from '@network/base/testing/seeded-random.ts'
import { plainAttributes } from './attributes/attributes.ts'
import { encodeAttributes } from './attributes/encode.ts'
import { Cluster, learnedText, type Member, meshPeer, peerOf, routes } from './testing/cluster.ts'
import { RawPeer } from './testing/raw-peer.ts'
import { encodeAnnouncement } from './wire/update.ts'

interface Link {
  readonly a: number
  readonly b: number
  /** What b is to a, and a to b. */
  readonly bIsClient: boolean
  readonly aIsClient: boolean
}

interface Topology {
  readonly count: number
  readonly links: readonly Link[]
}

const NETS = 6
const netOf = (index: number) => `10.0.${index}.0/24`
const addressOf = (index: number) => `192.0.2.${index + 1}`

describe('reflection', () => {
  for (let seed = 1; seed <= 40; seed++)
    test(`seed ${seed}: speakers in any topology learn what the model says, after every change`, async () => {
      const random = seededRandom(seed)
      const topology = drawn(random)
      const cluster = new Cluster()
      const members = await Promise.all(Array.from({ length: topology.count }, (_, index) => cluster.member(addressOf(index))))
      for (const [index, member] of members.entries()) member.speaker.setPeers(peersOf(index, topology))
      cluster.run(4)
      const owners: number[] = []
      for (let step = 0; step < 6; step++) {
        const net = Math.floor(random() * NETS)
        const owner = Math.floor(random() * (topology.count + 1)) - 1
        owners[net] = owner
        for (const [index, member] of members.entries())
          member.speaker.originate(routes(...owners.flatMap((each, at) => (each === index ? [netOf(at)] : []))))
        cluster.run(3)
        for (const [index, member] of members.entries()) assert.deepEqual(learnedText(member), model(index, owners, topology))
      }
    })

  for (const { clientToClient, hears } of [
    { clientToClient: undefined, hears: ['10.0.1.0/24 via 192.0.2.11', '10.0.3.0/24 via 192.0.2.13'] },
    { clientToClient: 'off', hears: ['10.0.3.0/24 via 192.0.2.13'] },
  ] as const)
    test(`clients ${clientToClient === 'off' ? 'that peer with each other hear only others' : 'hear each other'} from a reflector`, async () => {
      const cluster = new Cluster()
      const us = await cluster.member('192.0.2.1', clientToClient === undefined ? {} : { clientToClient })
      const others = await Promise.all([11, 12, 13].map(last => cluster.member(`192.0.2.${last}`)))
      us.speaker.setPeers(
        others.map(({ address }, index) => ({ ...meshPeer(address, us.address), ...(index < 2 ? { client: true } : {}) })),
      )
      for (const [index, { speaker, address }] of others.entries()) {
        speaker.originate(routes(`10.0.${index + 1}.0/24`))
        speaker.setPeers([meshPeer(us.address, address)])
      }
      cluster.run(4)
      const [, second, third] = others
      assert.ok(second !== undefined && third !== undefined)
      assert.deepEqual(learnedText(second), hears)
      assert.deepEqual(learnedText(third), ['10.0.1.0/24 via 192.0.2.11', '10.0.2.0/24 via 192.0.2.12'])
    })

  test('a best path of a client that gives way to one of a non-client is taken back from the other non-clients', async () => {
    const cluster = new Cluster()
    const us = await cluster.member('192.0.2.1')
    const others = await Promise.all([13, 12, 11].map(last => cluster.member(`192.0.2.${last}`)))
    const [client, better, third] = others
    assert.ok(client !== undefined && better !== undefined && third !== undefined)
    us.speaker.setPeers(
      others.map(({ address }) => ({
        ...meshPeer(address, us.address),
        ...(address === client.address ? { client: true } : {}),
      })),
    )
    for (const { speaker, address } of others) speaker.setPeers([meshPeer(us.address, address)])
    client.speaker.originate(routes('10.1.0.0/24'))
    cluster.run(4)
    assert.deepEqual([better, third].map(learnedText), [['10.1.0.0/24 via 192.0.2.13'], ['10.1.0.0/24 via 192.0.2.13']])
    better.speaker.originate(routes('10.1.0.0/24'))
    cluster.run(1)
    assert.deepEqual(learnedText(us), ['10.1.0.0/24 via 192.0.2.12'], 'the lower router id')
    assert.deepEqual([peerOf(client, us).prefixes.received, peerOf(third, us).prefixes.received], [1, 0])
  })

  test('two reflectors of one cluster: each client hears each route of both, and nobody loops', async () => {
    const clusterId = ipv4('9.9.9.9')
    const cluster = new Cluster()
    const [one, two] = [await cluster.member('192.0.2.1', { clusterId }), await cluster.member('192.0.2.2', { clusterId })]
    const clients = [await cluster.member('192.0.2.11'), await cluster.member('192.0.2.12')]
    for (const [reflector, other] of [
      [one, two],
      [two, one],
    ] as const)
      reflector.speaker.setPeers([
        meshPeer(other.address, reflector.address),
        ...clients.map(({ address }) => ({ ...meshPeer(address, reflector.address), client: true as const })),
      ])
    for (const client of clients) client.speaker.setPeers([one, two].map(({ address }) => meshPeer(address, client.address)))
    clients[0]?.speaker.originate(routes('10.1.0.0/24'))
    cluster.run(5)
    const [, receiver] = clients
    assert.ok(receiver !== undefined)
    assert.deepEqual(learnedText(receiver), ['10.1.0.0/24 via 192.0.2.11'])
    const paths = [...receiver.speaker.paths('10.1.0.0/24')]
    assert.equal(paths.length, 2)
    for (const { attributes } of paths) {
      assert.equal(formatIpv4(attributes.originatorId ?? clusterId), '192.0.2.11')
      assert.deepEqual(attributes.clusterList, [clusterId])
    }
    const refused = [...one.speaker.paths('10.1.0.0/24')].map(({ source, standing }) => `${source.id} ${standing.is}`)
    assert.deepEqual(refused.toSorted(), ['192.0.2.11 usable', '192.0.2.2 ineligible'])
    const before = peerOf(one, two).messages.in.update
    cluster.run(600)
    assert.equal(peerOf(one, two).messages.in.update, before, 'no churn')
  })

  test('reflectors of reflectors: the list grows by one cluster a hop, next hop and preference stay', async () => {
    const { cluster, members } = await chain(5)
    members[0]?.speaker.originate(routes('10.1.0.0/24'))
    cluster.run(5)
    const last = members.at(-1)?.speaker.learned().get('10.1.0.0/24')
    assert.equal(formatIpv4(last?.nextHop ?? ipv4('0.0.0.0')), addressOf(0))
    assert.equal(formatIpv4(last?.attributes.originatorId ?? ipv4('0.0.0.0')), addressOf(0))
    assert.deepEqual(last?.attributes.clusterList.map(formatIpv4), [addressOf(3), addressOf(2), addressOf(1)])
    assert.equal(last?.attributes.localPref, 100)
  })

  test('neither attribute on own routes nor on what a client is told first-hand, nor towards another AS', async () => {
    const cluster = new Cluster()
    const [us, client, tor] = [
      await cluster.member('192.0.2.1'),
      await cluster.member('192.0.2.2'),
      await cluster.member('198.51.100.1', { asn: 65001 }),
    ]
    us.speaker.originate(routes('10.1.0.0/24'))
    client.speaker.originate(routes('10.2.0.0/24'))
    us.speaker.setPeers([
      { ...meshPeer(client.address, us.address), client: true },
      { ...meshPeer(tor.address, us.address), asn: 65001 },
    ])
    client.speaker.setPeers([meshPeer(us.address, client.address)])
    tor.speaker.setPeers([meshPeer(us.address, tor.address)])
    cluster.run(5)
    for (const [member, net] of [
      [client, '10.1.0.0/24'],
      [tor, '10.1.0.0/24'],
      [tor, '10.2.0.0/24'],
    ] as const) {
      const heard = member.speaker.learned().get(net)?.attributes
      assert.deepEqual([heard?.originatorId, heard?.clusterList], [undefined, []], net)
    }
  })

  test('ORIGINATOR_ID and CLUSTER_LIST of an external peer are dropped before anybody sees a loop in them', async () => {
    const cluster = new Cluster()
    const us = await cluster.member('192.0.2.1')
    us.speaker.setPeers([{ ...meshPeer(ipv4('198.51.100.1'), us.address), asn: 65001, passive: true }])
    const peer = new RawPeer()
    peer.dial(cluster.network.host(ipv4('198.51.100.1')), us.address)
    cluster.run(1)
    peer.greet({ myAs: 65001 }, { fourOctetAs: 65001 })
    cluster.run(1)
    const looping = {
      ...plainAttributes(ipv4('198.51.100.1')),
      asPath: [{ kind: 'sequence', asns: [65001] } as const],
      originatorId: us.address,
      clusterList: [us.address],
    }
    peer.say(encodeAnnouncement(encodeAttributes(looping, { kind: 'internal', asnOctets: 4 }), [prefix('10.9.0.0/24')]))
    cluster.run(1)
    assert.deepEqual(learnedText(us), ['10.9.0.0/24 via 198.51.100.1'])
    assert.deepEqual(us.speaker.learned().get('10.9.0.0/24')?.attributes.clusterList, [])
  })
})

/** A tree of up to seven speakers with a few more links, each end of which may call the other its client. */
function drawn(random: () => number): Topology {
  const count = 3 + Math.floor(random() * 5)
  const links: Link[] = []
  const link = (a: number, b: number) => {
    const isThere = links.some(each => (each.a === a && each.b === b) || (each.a === b && each.b === a))
    if (a !== b && !isThere) links.push({ a, b, bIsClient: random() < 0.6, aIsClient: random() < 0.2 })
  }
  for (let index = 1; index < count; index++) link(Math.floor(random() * index), index)
  for (let extra = 0; extra < 2; extra++) link(Math.floor(random() * count), Math.floor(random() * count))
  return { count, links }
}

function peersOf(index: number, { links }: Topology) {
  return links.flatMap(({ a, b, bIsClient, aIsClient }) => {
    if (a !== index && b !== index) return []
    const [other, isClient] = a === index ? [b, bIsClient] : [a, aIsClient]
    const peer = meshPeer(ipv4(addressOf(other)), ipv4(addressOf(index)))
    return [isClient ? { ...peer, client: true as const } : peer]
  })
}

/**
 * Who hears of a net, by rounds until nothing changes: all paths have the same preference, so a speaker uses the one with the fewest clusters, and
 * of those the one from the lowest address; it hands on what the rules allow, never to where it came from.
 */
function model(index: number, owners: readonly number[], topology: Topology): readonly string[] {
  return owners
    .flatMap((owner, net) => {
      if (owner < 0 || owner === index || !reaches(owner, topology).has(index)) return []
      return [`${netOf(net)} via ${addressOf(owner)}`]
    })
    .toSorted()
}

/** One net has one owner: all paths have one originator, and only their lengths and last hops differ. */
function reaches(owner: number, { count, links }: Topology): ReadonlySet<number> {
  interface Heard {
    readonly from: number
    readonly clusters: readonly number[]
  }
  let best = new Map<number, Heard>()
  const isClientOf = (who: number, whose: number) =>
    links.some(
      ({ a, b, aIsClient, bIsClient }) => (a === whose && b === who && bIsClient) || (b === whose && a === who && aIsClient),
    )
  for (let round = 0; round < 4 * count; round++) {
    const next = new Map<number, Heard>()
    for (let index = 0; index < count; index++) {
      if (index === owner) continue
      const offers: Heard[] = []
      for (const { a, b } of links) {
        if (a !== index && b !== index) continue
        const from = a === index ? b : a
        if (from === owner) {
          offers.push({ from, clusters: [] })
          continue
        }
        const held = best.get(from)
        if (held === undefined || held.from === index) continue
        if (!isClientOf(held.from, from) && !isClientOf(index, from)) continue
        if (!held.clusters.includes(index)) offers.push({ from, clusters: [from, ...held.clusters] })
      }
      const winner = offers.toSorted((x, y) => x.clusters.length - y.clusters.length || x.from - y.from)[0]
      if (winner !== undefined) next.set(index, winner)
    }
    best = next
  }
  return new Set(best.keys())
}

/** Each is a client of the one before it. */
async function chain(length: number): Promise<{ cluster: Cluster; members: readonly Member[] }> {
  const cluster = new Cluster()
  const members = await Promise.all(Array.from({ length }, (_, index) => cluster.member(addressOf(index))))
  const links = Array.from({ length: length - 1 }, (_, a) => ({ a, b: a + 1, bIsClient: true, aIsClient: true }))
  for (const [index, member] of members.entries()) member.speaker.setPeers(peersOf(index, { count: length, links }))
  cluster.run(4)
  return { cluster, members }
}
