/** Several paths of a prefix among whole speakers, and from a peer that says exactly what it is told to. RFC 7911. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { formatAnyPrefix } from '@network/base/net/any-prefix.ts'
import { formatIpv4, ipv4 } from '@network/base/net/ipv4.ts'
import { type Prefix, prefix } from '@network/base/net/prefix.ts'
import { millis, seconds } from '@network/base/time/units.ts'
import fc from 'fast-check'
import { type Attributes, plainAttributes } from './attributes/attributes.ts'
import { encodeAttributes, fingerprint } from './attributes/encode.ts'
import type { AddPath, PeerConfig, SpeakerOptions } from './options.ts'
import { Cluster, learnedText, type Member, meshPeer, peerOf, routes } from './testing/cluster.ts'
import { RawPeer } from './testing/raw-peer.ts'
import { type AddPathFamily, IPV4_UNICAST } from './wire/capabilities.ts'
import { type Identified, keyOf } from './wire/nlri.ts'
import { describeNotification } from './wire/notification.ts'
import { encodeRouteRefresh } from './wire/route-refresh.ts'
import { decodeUpdate, encodeAnnouncement, encodeEndOfRib, encodeWithdrawal } from './wire/update.ts'

const NET = '10.1.0.0/24'
const BOTH_WAYS: readonly AddPath[] = [{ family: IPV4_UNICAST, send: 'all', receive: true }]
const HEARS: readonly AddPath[] = [{ family: IPV4_UNICAST, receive: true }]
const SENDS: AddPathFamily = { ...IPV4_UNICAST, send: true, receive: false }

describe('a client of a reflector', () => {
  test('hears every path, uses those that are equal together, and says why of each', async () => {
    const { client, cluster, origins, reflector } = await reflected({ decision: { multipath: 4 } })
    assert.deepEqual(pathsOf(client), ['1 via 192.0.2.11', '2 via 192.0.2.12'])
    assert.deepEqual(peerOf(client, reflector).session?.pathIds, { heard: ['ipv4-unicast'], told: [] })
    assert.deepEqual(peerOf(reflector, client).session?.pathIds, { heard: [], told: ['ipv4-unicast'] })
    assert.deepEqual(
      client.speaker.multipath(NET).map(({ attributes }) => formatIpv4(attributes.nextHop)),
      ['192.0.2.11', '192.0.2.12'],
    )
    assert.deepEqual(
      client.speaker.explain(NET).paths.map(({ pathId, used, verdict }) => ({ pathId, used, verdict })),
      [
        { pathId: 1, used: true, verdict: { is: 'best' } },
        { pathId: 2, used: true, verdict: { is: 'lost', by: 'router-id' } },
      ],
    )
    origins[0]?.speaker.originate(routes())
    cluster.run(1)
    assert.deepEqual(pathsOf(client), ['2 via 192.0.2.12'])
    origins[0]?.speaker.originate(routes(NET))
    cluster.run(1)
    assert.deepEqual(pathsOf(client), ['2 via 192.0.2.12', '3 via 192.0.2.11'], 'an id is not given again')
  })

  test('asks its resolver for each of them', async () => {
    const far = ipv4('192.0.2.11')
    const gone = new Set<number>()
    const { client } = await reflected({
      resolveNextHop: hop =>
        typeof hop === 'number' && gone.has(hop) ? { reachable: false } : { reachable: true, metric: hop === far ? 20 : 10 },
    })
    assert.deepEqual(learnedText(client), [`${NET} via 192.0.2.12`])
    gone.add(ipv4('192.0.2.12'))
    client.speaker.nextHopsChanged()
    assert.deepEqual(learnedText(client), [`${NET} via 192.0.2.11`])
  })

  const offers: readonly { readonly name: string; readonly addPath: readonly AddPath[]; readonly holds: readonly string[] }[] = [
    { name: 'offers no half', addPath: [], holds: ['- via 192.0.2.11'] },
    {
      name: 'offers the half that nobody wants',
      addPath: [{ family: IPV4_UNICAST, send: 'all' }],
      holds: ['- via 192.0.2.11'],
    },
    { name: 'offers to receive', addPath: HEARS, holds: ['1 via 192.0.2.11', '2 via 192.0.2.12'] },
  ]
  for (const { name, addPath, holds } of offers)
    test(`P0: ${name}: ${holds.join(', ')}`, async () => {
      const { client } = await reflected({}, { addPath })
      assert.deepEqual(pathsOf(client), holds)
    })

  test('keeps all of them while the reflector is gone, and after its return holds those alone that it tells then', async () => {
    const { client, cluster, reflector, origins } = await reflected({})
    cluster.network.crash(reflector.address)
    cluster.run(5)
    assert.deepEqual(learnedText(client), [`${NET} via 192.0.2.11 stale`])
    assert.equal(peerOf(client, reflector).prefixes.stale, 2)
    origins[0]?.speaker.originate(routes())
    const again = await cluster.member('192.0.2.1', { gracefulRestart: RESTARTED })
    again.speaker.setPeers(peersOfReflector(client, origins))
    cluster.run(30)
    assert.deepEqual(pathsOf(client), ['1 via 192.0.2.12'])
    assert.equal(peerOf(client, again).prefixes.stale, 0)
  })

  test('hears everything again when it asks, and holds the same', async () => {
    const { client, cluster, reflector } = await reflected({})
    const before = pathsOf(client)
    const { update } = peerOf(client, reflector).messages.in
    assert.equal(client.speaker.clear(reflector.address, { is: 'in' }), 'asked')
    cluster.run(2)
    assert.ok(peerOf(client, reflector).messages.in.update > update)
    assert.deepEqual(pathsOf(client), before)
    assert.equal(reflector.speaker.clear(client.address, { is: 'out' }), 'told-again')
    cluster.run(2)
    assert.deepEqual(pathsOf(client), before)
  })
})

describe('a peer that tells several paths', () => {
  test('limits: of prefixes each path counts, and of one prefix there may be so many', async () => {
    for (const { limits, says } of [
      {
        limits: { maxPrefixes: { limit: 3, warnAt: 100, restartAfter: undefined } },
        says: /more than 3 prefixes of ipv4-unicast/,
      },
      { limits: { maxPaths: 3 }, says: /more than 3 paths of one prefix/ },
    ] as const) {
      const { cluster, peer, us } = await raw(limits)
      peer.say(saying(three, 0))
      cluster.run(1)
      assert.equal(us.speaker.status().peers[0]?.prefixes.received, 3)
      peer.say(saying([{ ...net(0), pathId: 9 }], 0))
      cluster.run(1)
      assert.ok(peer.lastNotification !== undefined)
      assert.match(describeNotification(peer.lastNotification), /\(6\/1\)/)
      assert.match(us.speaker.status().peers[0]?.lastError?.text ?? '', says)
      assert.equal(us.speaker.paths(NET).length, 0)
    }
  })

  test('of those that are equal else the lowest id wins, in whatever order they came', async () => {
    for (const order of [three, three.toReversed()]) {
      const { cluster, peer, us } = await raw({})
      for (const each of order) peer.say(saying([each], 0, [1000 + (each.pathId ?? 0)]))
      cluster.run(1)
      const { paths } = us.speaker.explain(NET)
      assert.deepEqual(
        paths.map(({ pathId, verdict }) => `${pathId} ${verdict.is === 'lost' ? verdict.by : verdict.is}`).toSorted(),
        ['1 best', '2 path-id', '3 path-id'],
      )
      assert.deepEqual(us.speaker.learned().get(NET)?.attributes.communities, [1001])
    }
  })

  test('what was not repeated in a refresh or after a restart goes, path by path', async () => {
    const { cluster, peer, us } = await raw({})
    peer.say(saying(three, 0), encodeEndOfRib())
    cluster.run(1)
    peer.say(encodeRouteRefresh(IPV4_UNICAST, 'begin'), saying(three.slice(1), 5), encodeRouteRefresh(IPV4_UNICAST, 'end'))
    cluster.run(1)
    assert.deepEqual(
      held(us).map(([key]) => key),
      ['10.1.0.0/24#2', '10.1.0.0/24#3'],
    )
    peer.hangUp()
    cluster.run(1)
    assert.equal(us.speaker.status().peers[0]?.prefixes.stale, 2)
    const next = greeted(cluster, us)
    next.say(saying(three.slice(0, 2), 5), encodeEndOfRib())
    cluster.run(1)
    assert.deepEqual(
      held(us).map(([key]) => key),
      ['10.1.0.0/24#1', '10.1.0.0/24#2'],
    )
  })

  test('an id that is not there is withdrawn in vain, and one without its prefix is no UPDATE', async () => {
    const { cluster, peer, us } = await raw({})
    peer.say(
      saying(three, 0),
      encodeWithdrawal([
        { ...net(0), pathId: 77 },
        { ...net(1), pathId: 1 },
      ]),
    )
    cluster.run(1)
    assert.equal(held(us).length, 3)
    const bare = encodeWithdrawal([net(0)])
    peer.say(bare)
    cluster.run(1)
    assert.ok(peer.lastNotification !== undefined)
    assert.match(describeNotification(peer.lastNotification), /\(3\/10\)/)
  })

  test('whatever it says in whatever order, its Adj-RIB-In is what a plain map holds', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(say, { minLength: 1, maxLength: 4 }), { maxLength: 25 }), async rounds => {
        const { cluster, peer, us } = await raw({})
        const model = new Map<string, string>()
        for (const round of rounds) {
          for (const { gone, paths, med } of round) {
            peer.say(gone ? encodeWithdrawal(paths) : saying(paths, med))
            for (const path of paths)
              if (gone) model.delete(keyOf(path))
              else model.set(keyOf(path), fingerprint(attributesOf(med)))
          }
          cluster.run(1)
        }
        assert.deepEqual(held(us), [...model].toSorted())
        const { received, accepted } = us.speaker.status().peers[0]?.prefixes ?? {}
        assert.deepEqual([received, accepted], [model.size, model.size])
        for (const key of new Set([...model.keys()].map(each => each.split('#')[0] ?? ''))) {
          const [best] = us.speaker.explain(key).paths
          assert.equal(best?.verdict.is, 'best')
        }
        await us.speaker.stop({ graceful: false })
      }),
      { numRuns: 60 },
    )
  })
})

describe('End-of-RIB', () => {
  test('carries no path id', async () => {
    const cluster = new Cluster()
    const us = await cluster.member('192.0.2.1')
    us.speaker.originate(routes(NET))
    us.speaker.setPeers([{ ...meshPeer(ipv4('192.0.2.66'), us.address), passive: true, addPath: BOTH_WAYS }])
    const peer = greeted(cluster, us, { ...IPV4_UNICAST, send: true, receive: true })
    const updates = peer.heard.filter(({ kind }) => kind === 'update').map(({ body }) => body)
    assert.equal(updates.length, 2)
    assert.deepEqual(updates[1], new Uint8Array(4))
    const dialect = { kind: 'internal', asnOctets: 4, addPath: { in: [IPV4_UNICAST], out: [] } } as const
    const [told] = updates.map(body => decodeUpdate(body, dialect))
    assert.ok(told?.is === 'routes')
    assert.deepEqual(
      told.announced.flatMap(({ prefixes }) => prefixes.map(keyOf)),
      [`${NET}#1`],
    )
  })
})

const RESTARTED = { restartTime: seconds(120), restarting: true, deferral: millis(60_000) }
const net = (number: number): Prefix => prefix(`10.1.${number}.0/24`)
const three = [1, 2, 3].map((pathId): Identified<Prefix> => ({ ...net(0), pathId }))
const path = fc
  .record({ net: fc.nat(3), pathId: fc.constantFrom(0, 1, 2, 0xffffffff) })
  .map(({ net: number, pathId }) => ({ ...net(number), pathId }))
const say = fc.record({
  gone: fc.boolean(),
  med: fc.nat(3),
  paths: fc.uniqueArray(path, { minLength: 1, maxLength: 5, selector: keyOf }),
})

function attributesOf(med: number): Attributes {
  return { ...plainAttributes(ipv4('192.0.2.66')), localPref: 100, med }
}

function saying(paths: readonly Identified<Prefix>[], med: number, communities: readonly number[] = []): Uint8Array {
  const attributes = { ...attributesOf(med), communities }
  return encodeAnnouncement(encodeAttributes(attributes, { kind: 'internal', asnOctets: 4 }), paths)
}

/** What we hold of the raw peer: path to attributes, sorted. */
function held({ speaker }: Member): readonly (readonly [string, string])[] {
  return [...speaker.adjIn(ipv4('192.0.2.66'))]
    .map(({ prefix: named, pathId, fingerprint: print }) => [`${formatAnyPrefix(named)}#${pathId}`, print] as const)
    .toSorted()
}

/** Paths of NET that a speaker heard: id and next hop. */
function pathsOf({ speaker }: Member): readonly string[] {
  return speaker
    .paths(NET)
    .map(({ pathId, attributes }) => `${pathId ?? '-'} via ${formatIpv4(attributes.nextHop)}`)
    .toSorted()
}

/** We with a raw peer that tells several paths. */
async function raw(limits: Partial<PeerConfig>) {
  const cluster = new Cluster()
  const us = await cluster.member('192.0.2.1')
  us.speaker.setPeers([{ ...meshPeer(ipv4('192.0.2.66'), us.address), passive: true, addPath: HEARS, ...limits }])
  return { cluster, us, peer: greeted(cluster, us) }
}

function greeted(cluster: Cluster, us: Member, offer: AddPathFamily = SENDS): RawPeer {
  const peer = new RawPeer()
  peer.dial(cluster.network.host(ipv4('192.0.2.66')), us.address)
  cluster.run(1)
  const families = [{ ...IPV4_UNICAST, forwarding: true }]
  const gracefulRestart = { restarting: false, notification: false, restartTime: seconds(120), families }
  peer.greet({}, { addPath: [offer], enhancedRefresh: true, gracefulRestart })
  cluster.run(1)
  return peer
}

/** Two origins of NET behind a reflector, and a client that hears of them from it alone. */
async function reflected(options: Partial<SpeakerOptions>, { addPath = HEARS }: { readonly addPath?: readonly AddPath[] } = {}) {
  const cluster = new Cluster()
  const reflector = await cluster.member('192.0.2.1')
  const origins = [await cluster.member('192.0.2.11'), await cluster.member('192.0.2.12')]
  const client = await cluster.member('192.0.2.21', options)
  reflector.speaker.setPeers(peersOfReflector(client, origins))
  for (const origin of origins) origin.speaker.setPeers([meshPeer(reflector.address, origin.address)])
  client.speaker.setPeers([{ ...meshPeer(reflector.address, client.address), addPath }])
  for (const origin of origins) {
    origin.speaker.originate(routes(NET))
    cluster.run(5)
  }
  return { cluster, reflector, origins, client }
}

function peersOfReflector(client: Member, origins: readonly Member[]): PeerConfig[] {
  const self = ipv4('192.0.2.1')
  return [
    { ...meshPeer(client.address, self), client: true, addPath: BOTH_WAYS },
    ...origins.map(({ address }) => ({ ...meshPeer(address, self), client: true as const })),
  ]
}
