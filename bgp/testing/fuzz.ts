/** Seeded damage: real messages changed at random go through the codec, and at a live speaker that has another peer to lose. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { ipv6 } from '@network/base/net/ipv6.ts'
import { prefix } from '@network/base/net/prefix.ts'
import { seededRandom } from '@network/base/testing/seeded-random.ts'
import type { Random } from '@network/base/time/clock.ts'
import { type Attributes, plainAttributes } from '../attributes/attributes.ts'
import { encodeAttributes } from '../attributes/encode.ts'
import { IPV4_UNICAST, IPV6_UNICAST } from '../wire/capabilities.ts'
import type { Dialect } from '../wire/dialect.ts'
import { Framer } from '../wire/framing.ts'
import { decodeNotification, describeNotification, encodeNotification, shutdown } from '../wire/notification.ts'
import { decodeOpen, encodeOpen } from '../wire/open.ts'
import { decodeRouteRefresh, encodeRouteRefresh } from '../wire/route-refresh.ts'
import {
  decodeUpdate,
  encodeAnnouncement,
  encodeEndOfRib,
  encodeReachable,
  encodeUnreachable,
  encodeWithdrawal,
  KEEPALIVE,
} from '../wire/update.ts'
import { Cluster, learnedText, meshPeer, peerOf, routes } from './cluster.ts'
import { RawPeer, rawOpen } from './raw-peer.ts'

const BOTH_FAMILIES = [IPV4_UNICAST, IPV6_UNICAST]
const INTERNAL: Dialect = { kind: 'internal', asnOctets: 4 }
const BOTH: Dialect = {
  ...INTERNAL,
  multiprotocol: { families: [IPV4_UNICAST, IPV6_UNICAST], ipv6NextHop: true },
  asSets: 'accepted',
}
const IDS: Dialect = { ...BOTH, addPath: { in: [IPV4_UNICAST, IPV6_UNICAST], out: [] } }
const DIALECTS: readonly Dialect[] = [INTERNAL, BOTH, IDS, { kind: 'external', asnOctets: 4 }, { kind: 'external', asnOctets: 2 }]

const RICH: Attributes = {
  ...plainAttributes(ipv4('192.0.2.66')),
  localPref: 100,
  med: 5,
  asPath: [
    { kind: 'sequence', asns: [65001, 4200000000] },
    { kind: 'set', asns: [7, 8] },
  ],
  atomicAggregate: true,
  aggregator: { asn: 70000, address: ipv4('192.0.2.7') },
  communities: [1, 0xffffff01],
  extendedCommunities: [0x0002fde900000001n],
  largeCommunities: [{ global: 1, local1: 2, local2: 3 }],
  originatorId: ipv4('192.0.2.8'),
  clusterList: [ipv4('192.0.2.9')],
  opaque: [
    { code: 23, body: Uint8Array.of(0, 1, 0, 2, 9, 9), partial: true },
    { code: 35, body: Uint8Array.of(0, 0, 0, 7), partial: false },
  ],
}
const HOPS6 = { nextHop: ipv4('0.0.0.0'), nextHop6: { address: ipv6('2001:db8::1'), linkLocal: ipv6('fe80::1') } }
const SIX = { address: ipv6('2001:db8:7::'), length: 48 }

const IDENTIFIED = [1, 2].map(pathId => ({ ...prefix('10.7.0.0/16'), pathId }))

function corpus(): readonly Uint8Array[] {
  const bird = readFileSync(join(import.meta.dirname, '..', 'wire', 'bird.fixture'), 'utf8')
    .trim()
    .split('\n')
    .slice(1)
  const block = encodeAttributes(RICH, INTERNAL)
  const block6 = encodeAttributes({ ...RICH, ...HOPS6 }, INTERNAL)
  const gracefulRestart = {
    restarting: false,
    notification: true,
    restartTime: rawOpen().holdTime,
    families: [{ ...IPV4_UNICAST, forwarding: true }],
  }
  const addPath = [IPV4_UNICAST, IPV6_UNICAST].map(family => ({ ...family, receive: true, send: true }))
  const capable = { addPath, gracefulRestart, extendedMessages: true, enhancedRefresh: true, ipv4OverIpv6: true }
  return [
    ...bird.map(line => Uint8Array.from(Buffer.from(line.split(' ')[1] ?? '', 'hex'))),
    encodeOpen(rawOpen({}, { ...capable, families: [IPV4_UNICAST, IPV6_UNICAST] })),
    encodeAnnouncement(block, ['10.7.0.0/16', '10.8.1.0/24'].map(prefix)),
    encodeReachable(IPV6_UNICAST, { hops: HOPS6, attributes: block6 }, [SIX]),
    encodeUnreachable(IPV6_UNICAST, [SIX]),
    encodeWithdrawal([prefix('10.7.0.0/16')]),
    encodeAnnouncement(block, IDENTIFIED),
    encodeReachable(IPV6_UNICAST, { hops: HOPS6, attributes: block6 }, [{ ...SIX, pathId: 7 }]),
    encodeUnreachable(IPV6_UNICAST, [{ ...SIX, pathId: 7 }]),
    encodeWithdrawal(IDENTIFIED.slice(1)),
    encodeEndOfRib(),
    encodeRouteRefresh(IPV4_UNICAST, 'begin'),
    encodeRouteRefresh(IPV4_UNICAST, 'end'),
    encodeRouteRefresh(IPV4_UNICAST),
    encodeNotification(shutdown('words')),
    KEEPALIVE,
  ]
}

const CORPUS = corpus()
const UPDATES = CORPUS.filter(message => message[18] === 2 && message.length > 23)

/** One seed: throws when something that must hold does not. */
export async function fuzzOnce(seed: number): Promise<void> {
  const random = seededRandom(seed)
  fuzzCodec(random)
  if (random() < 0.25) await fuzzSession(random)
}

function fuzzCodec(random: Random): void {
  const message = damaged(pick(CORPUS, random), random)
  for (const framed of new Framer().push(message)) if (framed.is === 'frame') decodeAnything(framed.frame.body)
  decodeAnything(message.subarray(19))
}

/** Every decoder must have a verdict on any bytes, and must read back what we write of what it accepted. */
function decodeAnything(body: Uint8Array): void {
  decodeOpen(body)
  assert.equal(describeNotification(decodeNotification(body)).includes('\n'), false)
  if (body.length >= 4) decodeRouteRefresh(body)
  for (const dialect of DIALECTS) {
    const verdict = decodeUpdate(body, dialect)
    if (verdict.is !== 'routes') continue
    for (const { attributes, prefixes } of verdict.announced) {
      if (attributes.nextHop6 !== undefined) continue
      const wide = dialect.addPath === undefined ? BOTH : IDS
      const again = decodeUpdate(encodeAnnouncement(encodeAttributes(attributes, wide), prefixes).subarray(19), wide)
      assert.ok(again.is === 'routes' && again.announced.length <= 1)
      const [heard] = again.announced
      if (heard !== undefined) assert.deepEqual(heard.prefixes, prefixes)
    }
  }
}

/** A hostile peer beside a healthy one: whatever it says, the healthy one's session and routes stay. */
async function fuzzSession(random: Random): Promise<void> {
  const cluster = new Cluster()
  const us = await cluster.member('192.0.2.1')
  const friend = await cluster.member('192.0.2.2')
  const hostile = ipv4('192.0.2.66')
  us.speaker.setPeers([
    meshPeer(friend.address, us.address),
    {
      ...meshPeer(hostile, us.address),
      passive: true,
      families: BOTH_FAMILIES,
      addPath: BOTH_FAMILIES.map(family => ({ family, receive: true, send: 'all' })),
    },
  ])
  friend.speaker.setPeers([meshPeer(us.address, friend.address)])
  friend.speaker.originate(routes('10.2.0.0/24'))
  cluster.run(3)
  const addPath = random() < 0.5 ? BOTH_FAMILIES.map(family => ({ ...family, receive: true, send: true })) : []
  for (let attempt = 0; attempt < 3; attempt++) {
    const peer = new RawPeer()
    peer.dial(cluster.network.host(hostile), us.address)
    cluster.run(1)
    if (random() < 0.8) peer.greet({}, { families: BOTH_FAMILIES, enhancedRefresh: true, extendedMessages: true, addPath })
    cluster.run(1)
    for (let said = 0; said < 6; said++) {
      peer.say(
        ...cutUp(random() < 0.15 ? damaged(pick(CORPUS, random), random) : scratched(pick(UPDATES, random), random), random),
      )
      cluster.run(0.5)
    }
    if (random() < 0.5) peer.hangUp()
    cluster.run(2)
    us.speaker.status()
    for (const path of us.speaker.routes()) us.speaker.explain(path.key)
  }
  assert.equal(peerOf(us, friend).flaps, 0)
  assert.ok(learnedText(us).some(line => line === '10.2.0.0/24 via 192.0.2.2'))
  await us.speaker.stop({ graceful: false })
  await friend.speaker.stop({ graceful: false })
}

/** Octets changed, taken out, put in, repeated; lengths in headers set right now and then, or nobody would read on. */
function damaged(message: Uint8Array, random: Random): Uint8Array {
  let bytes = [...message]
  for (let times = 1 + Math.floor(random() * 4); times > 0; times--) {
    const at = Math.floor(random() * bytes.length)
    const kind = random()
    if (kind < 0.5) bytes[at] = oddOctet(random)
    else if (kind < 0.65) bytes.splice(at, 1 + Math.floor(random() * 4))
    else if (kind < 0.8) bytes.splice(at, 0, oddOctet(random), oddOctet(random))
    else if (kind < 0.9) bytes = [...bytes.slice(0, at), ...bytes.slice(at, at + 20), ...bytes.slice(at)]
    else bytes = [...bytes.slice(0, at), ...pick(CORPUS, random).slice(19)]
  }
  if (random() < 0.8 && bytes.length >= 19) withRightLength(bytes)
  return Uint8Array.from(bytes)
}

/** An octet or two changed behind the header: a peer that is read on, and means something else. */
function scratched(message: Uint8Array, random: Random): Uint8Array {
  const bytes = Uint8Array.from(message)
  for (let times = Math.floor(random() * 3); times > 0; times--)
    bytes[23 + Math.floor(random() * (bytes.length - 23))] = oddOctet(random)
  return bytes
}

function withRightLength(bytes: number[]): void {
  for (let at = 0; at < 16; at++) bytes[at] = 0xff
  bytes[16] = (bytes.length >>> 8) & 255
  bytes[17] = bytes.length & 255
}

function oddOctet(random: Random): number {
  const edges = [0, 1, 0x7f, 0x80, 0xff]
  return random() < 0.4 ? pick(edges, random) : Math.floor(random() * 256)
}

function cutUp(bytes: Uint8Array, random: Random): readonly Uint8Array[] {
  const at = Math.floor(random() * bytes.length)
  return random() < 0.5 ? [bytes] : [bytes.subarray(0, at), bytes.subarray(at)]
}

function pick<T>(list: readonly T[], random: Random): T {
  const found = list[Math.floor(random() * list.length)]
  assert.ok(found !== undefined)
  return found
}
