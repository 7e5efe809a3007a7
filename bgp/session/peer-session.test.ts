/** One speaker against a peer that misbehaves on purpose. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { formatIpv4, ipv4 } from '@network/base/net/ipv4.ts'
import { prefix } from '@network/base/net/prefix.ts'
import type { Cancel, Clock } from '@network/base/time/clock.ts'
import { type Instant, seconds } from '@network/base/time/units.ts'
import { NO_EXPORT, plainAttributes } from '../attributes/attributes.ts'
import { encodeAttributes } from '../attributes/encode.ts'
import { Cluster, learnedText, type Member, meshPeer, recordingLog, routes } from '../testing/cluster.ts'
import { RawPeer, rawOpen } from '../testing/raw-peer.ts'
import { IPV4_UNICAST, IPV6_UNICAST } from '../wire/capabilities.ts'
import { frame } from '../wire/header.ts'
import { encodeOpen } from '../wire/open.ts'
import { encodeRouteRefresh } from '../wire/route-refresh.ts'
import { encodeAnnouncement, encodeEndOfRib, encodeWithdrawal, KEEPALIVE } from '../wire/update.ts'
import type { Transport, Wire, WireListener } from './transport.ts'

const INTERNAL = { kind: 'internal', asnOctets: 4 } as const
const PLAIN = { ...plainAttributes(ipv4('192.0.2.66')), localPref: 100 }

describe('before a session stands', () => {
  const cases: readonly { name: string; says: (peer: RawPeer) => void; answer: string }[] = [
    { name: 'a wrong AS', says: peer => peer.greet({ myAs: 65000 }, { fourOctetAs: 65000 }), answer: '2/2' },
    { name: 'AS 0', says: peer => peer.greet({ myAs: 0 }, { fourOctetAs: 0 }), answer: '2/2' },
    {
      name: 'AS_TRANS without the capability',
      says: peer => peer.greet({ myAs: 23456 }, { fourOctetAs: undefined }),
      answer: '2/2',
    },
    { name: 'our own identifier', says: peer => peer.greet({ routerId: ipv4('192.0.2.1') }), answer: '2/3' },
    { name: 'identifier 0.0.0.0', says: peer => peer.greet({ routerId: ipv4('0.0.0.0') }), answer: '2/3' },
    { name: 'a hold time of 2 s', says: peer => peer.greet({ holdTime: seconds(2) }), answer: '2/6' },
    { name: 'IPv6 only', says: peer => peer.greet({}, { families: [{ afi: 2, safi: 1 }] }), answer: '2/7' },
    { name: 'KEEPALIVE first', says: peer => peer.say(KEEPALIVE), answer: '5/1' },
    { name: 'UPDATE first', says: peer => peer.say(encodeEndOfRib()), answer: '5/1' },
    { name: 'UPDATE after OPEN', says: peer => peer.say(encodeOpen(rawOpen()), encodeEndOfRib()), answer: '5/2' },
    { name: 'a second OPEN', says: peer => peer.say(encodeOpen(rawOpen()), encodeOpen(rawOpen())), answer: '5/2' },
    { name: 'no marker', says: peer => peer.say(new Uint8Array(19)), answer: '1/1' },
    { name: 'a message of type 9', says: peer => peer.say(typed(9)), answer: '1/3' },
    { name: 'a KEEPALIVE of 20 octets', says: peer => peer.say(frame('keepalive', new Uint8Array(1))), answer: '1/2' },
  ]
  for (const { name, says, answer } of cases)
    test(`${name}: ${answer}`, async () => {
      const { cluster, peer } = await meeting()
      says(peer)
      cluster.run(1)
      assert.equal(notified(peer), answer)
      assert.notEqual(peer.lostBy, undefined)
    })

  test('a mute peer is dropped after four minutes', async () => {
    const { cluster, peer } = await meeting()
    cluster.run(235)
    assert.equal(peer.lostBy, undefined)
    cluster.run(10)
    assert.equal(notified(peer), '4/0')
  })

  test('after a refusal a new connection is taken at once', async () => {
    const { cluster, peer, network } = await meeting()
    peer.greet({ myAs: 65000 }, { fourOctetAs: 65000 })
    cluster.run(1)
    const second = new RawPeer()
    second.dial(network, ipv4('192.0.2.1'))
    cluster.run(0.1)
    second.greet()
    cluster.run(0.1)
    assert.deepEqual(second.kinds, ['open', 'keepalive', 'update'])
  })
})

describe('while it stands', () => {
  test('an OPEN: 5/3 with its type', async () => {
    const { cluster, peer } = await established()
    peer.say(encodeOpen(rawOpen()))
    cluster.run(1)
    assert.equal(notified(peer), '5/3')
    assert.deepEqual([...(peer.lastNotification?.data ?? [])], [1])
  })

  test('a second connection without graceful restart: 6/7, and the session goes on', async () => {
    const { cluster, peer, network, member } = await established()
    const second = new RawPeer()
    second.dial(network, member.address)
    cluster.run(0.1)
    assert.equal(notified(second), '6/7')
    assert.equal(peer.lostBy, undefined)
    assert.equal(member.speaker.status().peers[0]?.flaps, 0)
  })

  test('a second connection with graceful restart replaces the first only when it proves itself', async () => {
    const gracefulRestart = {
      restarting: false,
      notification: false,
      restartTime: seconds(60),
      families: [{ ...IPV4_UNICAST, forwarding: true }],
    }
    const { cluster, peer, network, member } = await meeting()
    peer.greet({}, { gracefulRestart })
    peer.say(encodeAnnouncement(encodeAttributes(PLAIN, INTERNAL), [prefix('10.9.0.0/16')]))
    cluster.run(0.1)
    const second = new RawPeer()
    second.dial(network, member.address)
    cluster.run(0.1)
    second.say(encodeOpen(rawOpen({}, { gracefulRestart })))
    cluster.run(1)
    assert.equal(peer.lostBy, undefined)
    second.say(KEEPALIVE)
    cluster.run(0.1)
    assert.equal(peer.lostBy, 'the peer closed the connection')
    assert.equal(peer.lastNotification, undefined)
    assert.deepEqual(learnedText(member), ['10.9.0.0/16 via 192.0.2.66 stale'])
    second.say(encodeEndOfRib())
    cluster.run(0.1)
    assert.deepEqual(learnedText(member), [])
  })

  test('ROUTE-REFRESH gets everything again', async () => {
    const { cluster, peer, member } = await established()
    member.speaker.originate(routes('10.1.0.0/24'))
    cluster.run(0.1)
    const before = peer.kinds.length
    peer.say(encodeRouteRefresh(IPV4_UNICAST), encodeRouteRefresh({ afi: 2, safi: 1 }))
    cluster.run(0.1)
    assert.deepEqual(peer.kinds.slice(before), ['update'])
  })

  test('a malformed attribute withdraws the route, keeps the session and is counted', async () => {
    const log = recordingLog()
    const { cluster, peer, member } = await established({ log })
    const sound = encodeAttributes(PLAIN, INTERNAL)
    peer.say(encodeAnnouncement(sound, [prefix('10.9.0.0/16')]))
    cluster.run(0.1)
    assert.deepEqual(learnedText(member), ['10.9.0.0/16 via 192.0.2.66'])
    const spoiled = Uint8Array.from(sound)
    spoiled[3] = 7 // ORIGIN
    peer.say(encodeAnnouncement(spoiled, [prefix('10.9.0.0/16')]))
    cluster.run(0.1)
    assert.deepEqual(learnedText(member), [])
    assert.equal(peer.lostBy, undefined)
    assert.deepEqual(member.speaker.status().peers[0]?.repaired, {
      treatedAsWithdraw: 1,
      attributesDiscarded: 0,
      byAttribute: { ORIGIN: 1 },
    })
    assert.ok(log.lines.some(({ message, fields }) => message === 'malformed update' && fields?.['why'] === 'ORIGIN: value 7'))
  })

  test('internal routes are not handed on to internal peers', async () => {
    const { cluster, peer, member } = await established()
    const before = peer.kinds.length
    peer.say(encodeAnnouncement(encodeAttributes(PLAIN, INTERNAL), [prefix('10.9.0.0/16')]))
    peer.say(encodeAnnouncement(encodeAttributes({ ...PLAIN, communities: [NO_EXPORT] }, INTERNAL), [prefix('10.8.0.0/16')]))
    peer.say(encodeWithdrawal([prefix('10.7.0.0/16')]))
    cluster.run(0.1)
    assert.equal(member.speaker.learned().size, 2)
    assert.equal(peer.kinds.length, before)
  })

  test('silence ends it after the hold time, KEEPALIVEs come every third of it', async () => {
    const { cluster, peer } = await established()
    cluster.run(29)
    assert.equal(peer.lostBy, undefined)
    const beats = peer.kinds.filter(kind => kind === 'keepalive').length
    assert.ok(beats >= 3 && beats <= 5, `${beats} keepalives`)
    cluster.run(2)
    assert.equal(notified(peer), '4/0')
  })

  test('octets that are no whole message do not count as a sign of life', async () => {
    const { cluster, peer } = await established()
    for (const octet of KEEPALIVE.slice(0, 12)) {
      peer.say(Uint8Array.of(octet))
      cluster.run(2.6)
    }
    assert.equal(notified(peer), '4/0')
  })

  test('a peer left out hears 6/3, and its routes go', async () => {
    const { cluster, peer, member } = await established()
    peer.say(encodeAnnouncement(encodeAttributes(PLAIN, INTERNAL), [prefix('10.9.0.0/16')]))
    cluster.run(0.1)
    member.speaker.setPeers([])
    cluster.run(0.1)
    assert.equal(notified(peer), '6/3')
    assert.deepEqual(learnedText(member), [])
  })

  test('6/1 names family and limit', async () => {
    const { cluster, peer, member } = await established()
    const limited = { maxPrefixes: { limit: 1, warnAt: 100, restartAfter: undefined }, passive: true }
    member.speaker.setPeers([{ ...meshPeer(ipv4('192.0.2.66'), member.address), ...limited }])
    peer.say(encodeAnnouncement(encodeAttributes(PLAIN, INTERNAL), ['10.8.0.0/16', '10.9.0.0/16'].map(prefix)))
    cluster.run(0.1)
    assert.equal(notified(peer), '6/1')
    assert.deepEqual([...(peer.lastNotification?.data ?? [])], [0, 1, 1, 0, 0, 0, 1])
  })

  test('End-of-RIB of each family goes to a peer that names none for graceful restart', async () => {
    const { cluster, member, peer } = await meeting()
    const families = [IPV4_UNICAST, IPV6_UNICAST]
    member.speaker.setPeers([{ ...meshPeer(ipv4('192.0.2.66'), member.address), passive: true, families }])
    cluster.run(0.1)
    assert.equal(notified(peer), '6/6', 'other families are another session')
    const second = new RawPeer()
    second.dial(cluster.network.host(ipv4('192.0.2.66')), member.address)
    cluster.run(0.1)
    const gracefulRestart = { restarting: false, notification: false, restartTime: seconds(0), families: [] }
    second.greet({}, { families, gracefulRestart })
    cluster.run(0.1)
    const ends = second.heard.filter(({ kind }) => kind === 'update').map(({ body }) => hexOf(body))
    assert.deepEqual(
      ends,
      families.map(family => hexOf(encodeEndOfRib(family).subarray(19))),
    )
  })

  test('many malformed updates are one line a minute in the log, and counted by attribute', async () => {
    const log = recordingLog()
    const { cluster, peer, member } = await established({ log })
    const spoiled = Uint8Array.from(encodeAttributes(PLAIN, INTERNAL))
    spoiled[3] = 7 // ORIGIN
    const atomic = Uint8Array.of(...encodeAttributes(PLAIN, INTERNAL), 0x40, 6, 1, 0)
    for (let round = 0; round < 9; round++) {
      peer.say(...[spoiled, atomic].map(block => encodeAnnouncement(block, [prefix('10.9.0.0/16')])), KEEPALIVE)
      cluster.run(10)
    }
    const lines = log.lines.filter(({ message }) => message === 'malformed update')
    assert.equal(lines.length, 2)
    assert.match(String(lines[0]?.fields?.['raw']), /^[0-9a-f]+$/)
    const repaired = { treatedAsWithdraw: 9, attributesDiscarded: 9, byAttribute: { ORIGIN: 9, ATOMIC_AGGREGATE: 9 } }
    assert.deepEqual(member.speaker.status().peers[0]?.repaired, repaired)
  })

  for (const { says, takesItAgain } of [
    { says: 'a peer that reads nothing is lost after eight minutes, whatever it says: 8/0', takesItAgain: false },
    { says: 'a peer that reads again within eight minutes is not', takesItAgain: true },
  ])
    test(says, async () => {
      const cluster = new Cluster()
      const stream = new StuckStreams(cluster.network.host(ipv4('192.0.2.1')))
      const { peer, member } = await established({ transport: stream.transport }, cluster)
      stream.isStuck = true
      member.speaker.originate(routes('10.1.0.0/24'))
      for (let beat = 0; beat < 47; beat++) {
        peer.say(KEEPALIVE)
        cluster.run(10)
        if (takesItAgain && beat === 30) stream.drain()
      }
      assert.equal(peer.lostBy, undefined)
      peer.say(KEEPALIVE)
      cluster.run(20)
      assert.equal(notified(peer), takesItAgain ? 'nothing' : '8/0')
    })

  test('who slept itself reads before it judges the silence of others', async () => {
    const cluster = new Cluster()
    const clock = new StallingClock(cluster.clock)
    const { peer, member } = await established({ clock }, cluster)
    cluster.run(5)
    clock.stall()
    cluster.network.sleep(member.address)
    peer.say(KEEPALIVE)
    cluster.run(60)
    clock.resume()
    cluster.network.wake(member.address)
    cluster.run(2)
    assert.equal(member.speaker.status().peers[0]?.state, 'established')
    cluster.run(31)
    assert.equal(notified(peer), '4/0')
  })
})

interface Meeting {
  readonly cluster: Cluster
  readonly member: Member
  readonly peer: RawPeer
  readonly network: ReturnType<Cluster['network']['host']>
}

async function meeting(options: Parameters<Cluster['member']>[1] = {}, cluster = new Cluster()): Promise<Meeting> {
  const member = await cluster.member('192.0.2.1', options)
  const address = ipv4('192.0.2.66')
  member.speaker.setPeers([{ ...meshPeer(address, member.address), passive: true }])
  const network = cluster.network.host(address)
  const peer = new RawPeer()
  peer.dial(network, member.address)
  cluster.run(0.1)
  assert.deepEqual(peer.kinds, ['open'], formatIpv4(member.address))
  return { cluster, member, peer, network }
}

async function established(options?: Parameters<Cluster['member']>[1], cluster?: Cluster): Promise<Meeting> {
  const met = await meeting(options, cluster)
  met.peer.greet()
  met.cluster.run(0.1)
  assert.deepEqual(met.peer.kinds, ['open', 'keepalive', 'update'])
  return met
}

function notified(peer: RawPeer): string {
  const last = peer.lastNotification
  return last === undefined ? 'nothing' : `${last.code}/${last.subcode}`
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

function typed(type: number): Uint8Array {
  const bytes = Uint8Array.from(KEEPALIVE)
  bytes[18] = type
  return bytes
}

/** Streams that ask their sender to wait, and all the same deliver: what a full buffer says, without one. */
class StuckStreams {
  readonly transport: Transport
  isStuck = false
  readonly #listeners: WireListener[] = []

  constructor(inner: Transport) {
    const stuck = (wire: Wire): Wire => ({
      local: wire.local,
      remote: wire.remote,
      send: bytes => wire.send(bytes) && !this.isStuck,
      sendAll: slices => wire.sendAll(slices) && !this.isStuck,
      guard: guard => wire.guard(guard),
      close: () => wire.close(),
    })
    const listen: Transport['listen'] = (at, accept) =>
      inner.listen(at, wire => {
        const listener = accept(stuck(wire))
        if (listener !== undefined) this.#listeners.push(listener)
        return listener
      })
    this.transport = { ...inner, listen }
  }

  drain(): void {
    this.isStuck = false
    for (const listener of this.#listeners) listener.drained()
  }
}

/** Wakes nobody while stalled, and everybody late afterwards: a stopped process. */
class StallingClock implements Clock {
  readonly #inner: Clock
  #held: (() => void)[] | undefined

  constructor(inner: Clock) {
    this.#inner = inner
  }

  now(): Instant {
    return this.#inner.now()
  }

  wall(): Date {
    return this.#inner.wall()
  }

  wakeAt(at: Instant, wake: () => void): Cancel {
    return this.#inner.wakeAt(at, () => {
      if (this.#held === undefined) wake()
      else this.#held.push(wake)
    })
  }

  stall(): void {
    this.#held = []
  }

  resume(): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const wake of held) wake()
  }
}
