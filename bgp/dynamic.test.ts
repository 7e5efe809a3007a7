/** Peers that nobody named: who may come, how many, and that nothing of them is left. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ipv4, toIpv4 } from '@network/base/net/ipv4.ts'
import { prefix } from '@network/base/net/prefix.ts'
import { ManualClock } from '@network/base/testing/manual-clock.ts'
import type { Clock } from '@network/base/time/clock.ts'
import { millis } from '@network/base/time/units.ts'
import { MOST_HALF_OPEN } from './dynamic.ts'
import type { DynamicPeers } from './options.ts'
import { Cluster, learnedText, type Member, meshPeer, peerOf, recordingLog, routes } from './testing/cluster.ts'
import { RawPeer } from './testing/raw-peer.ts'
import { encodeEndOfRib } from './wire/update.ts'

const RANGE: DynamicPeers = { range: prefix('192.0.2.0/24'), limit: 3, peer: { asn: 64512, client: true } }

describe('dynamic peers', () => {
  test('come, hear and tell, and are forgotten when they go', async () => {
    const { cluster, us } = await reflector()
    const [a, b] = [await guest(cluster, us, 2), await guest(cluster, us, 3)]
    a.speaker.originate(routes('10.0.2.0/24'))
    cluster.run(4)
    assert.deepEqual(learnedText(b), ['10.0.2.0/24 via 192.0.2.2'])
    assert.equal(us.speaker.status().peers.length, 2)
    await a.speaker.stop({ graceful: false })
    cluster.run(1)
    assert.deepEqual(learnedText(b), [])
    assert.equal(us.speaker.status().peers.length, 1)
    assert.equal(cluster.network.streams, 1)
  })

  test('one that may return is kept, with its routes, until the restart time is over', async () => {
    const { cluster, us } = await reflector()
    const a = await guest(cluster, us, 2)
    a.speaker.originate(routes('10.0.2.0/24'))
    cluster.run(4)
    cluster.network.crash(a.address)
    cluster.run(100)
    assert.deepEqual(learnedText(us), ['10.0.2.0/24 via 192.0.2.2 stale'])
    assert.equal(us.speaker.status().peers.length, 1)
    cluster.run(25)
    assert.deepEqual(learnedText(us), [])
    assert.equal(us.speaker.status().peers.length, 0)
  })

  test('one too many is refused, and taken when there is room again', async () => {
    const { cluster, us } = await reflector()
    const members = await Promise.all([2, 3, 4, 5].map(number => guest(cluster, us, number)))
    cluster.run(4)
    assert.equal(us.speaker.status().peers.length, 3)
    const stays = members.find(member => peerOf(member, us).state !== 'established')
    assert.ok(stays !== undefined)
    assert.ok(us.speaker.status().strangers.refused > 0)
    const goes = members.find(member => member !== stays)
    await goes?.speaker.stop({ graceful: false })
    cluster.run(5)
    assert.equal(peerOf(stays, us).state, 'established')
  })

  test('an address outside of every range is refused', async () => {
    const { cluster, us, log } = await reflector()
    const stranger = await cluster.member('198.51.100.7')
    stranger.speaker.setPeers([meshPeer(us.address, stranger.address)])
    cluster.run(3)
    assert.equal(us.speaker.status().peers.length, 0)
    assert.deepEqual(log.lines.find(({ message }) => message === 'connection refused')?.fields, {
      from: '198.51.100.7',
      why: 'no peer with this address is configured',
    })
  })

  test('connections that never speak do not take all the room there is', async () => {
    const crowd: DynamicPeers = { ...RANGE, range: prefix('10.0.0.0/8'), limit: 100_000 }
    const { cluster, us } = await reflector({ dynamicPeers: [crowd] })
    for (let number = 1; number <= MOST_HALF_OPEN + 50; number++)
      new RawPeer().dial(cluster.network.host(toIpv4(0x0a000000 + number)), us.address)
    cluster.run(1)
    assert.equal(us.speaker.status().peers.length, MOST_HALF_OPEN)
    assert.equal(us.speaker.status().strangers.refused, 50)
    cluster.run(250)
    assert.equal(us.speaker.status().peers.length, 0, 'the mute are sent away')
    assert.equal(cluster.network.streams, 0)
  })

  test('another AS than that of the range ends with 2/2 and leaves nothing', async () => {
    const { cluster, us } = await reflector()
    const other = await cluster.member('192.0.2.9', { asn: 65001 })
    other.speaker.setPeers([{ ...meshPeer(us.address, other.address), dialAfter: millis(0) }])
    cluster.run(1)
    assert.equal(peerOf(other, us).lastError?.code, 2)
    assert.equal(us.speaker.status().peers.length, 0)
  })

  test('those who come again and again with nonsense do not fill the log', async () => {
    const { cluster, us, log } = await reflector()
    const nonsense = async (times: number) => {
      for (let time = 0; time < times; time++) {
        const peer = new RawPeer()
        peer.dial(cluster.network.host(ipv4('192.0.2.66')), us.address)
        cluster.run(0.01)
        peer.greet({ myAs: 65000 + time }, { fourOctetAs: 65000 + time })
        cluster.run(0.01)
      }
      return log.lines.filter(({ message }) => message === 'session failed')
    }
    assert.equal((await nonsense(300)).length, 100)
    cluster.run(60)
    const lines = await nonsense(1)
    assert.deepEqual([lines.length, lines.at(-1)?.fields?.['leftOut']], [101, 200])
    assert.equal(us.speaker.status().peers.length, 0)
  })

  test('a range that goes takes its guests with it; one that stays does not blink', async () => {
    const { cluster, us } = await reflector()
    const a = await guest(cluster, us, 2)
    cluster.run(4)
    us.speaker.setDynamicPeers([structuredClone(RANGE)])
    us.speaker.setPeers([])
    cluster.run(1)
    assert.equal(peerOf(a, us).flaps, 0)
    us.speaker.setDynamicPeers([])
    cluster.run(1)
    assert.equal(peerOf(a, us).lastError?.subcode, 3)
    assert.equal(us.speaker.status().peers.length, 0)
  })
})

describe('under load', () => {
  test('a peer hears KEEPALIVE although no timer runs, as long as something is read', async () => {
    const cluster = new Cluster()
    const manual = new ManualClock()
    const starved: Clock = { now: () => cluster.clock.now(), wall: () => manual.wall(), wakeAt: () => () => undefined }
    const us = await cluster.member('192.0.2.1', { clock: starved })
    const addresses = [ipv4('192.0.2.2'), ipv4('192.0.2.3')]
    us.speaker.setPeers(addresses.map(address => ({ ...meshPeer(address, us.address), passive: true })))
    const [talker, listener] = addresses.map(address => {
      const peer = new RawPeer()
      peer.dial(cluster.network.host(address), us.address)
      cluster.run(1)
      peer.greet({ routerId: address })
      return peer
    })
    for (let second = 0; second < 60; second++) {
      cluster.run(1)
      talker?.say(encodeEndOfRib())
    }
    const heard = listener?.kinds.filter(kind => kind === 'keepalive').length ?? 0
    assert.ok(heard >= 5 && heard <= 9, `${heard} in a minute, 10 s apart`)
    assert.equal(listener?.lostBy, undefined)
  })
})

async function reflector(options: Parameters<Cluster['member']>[1] = {}) {
  const cluster = new Cluster()
  const log = recordingLog()
  const us = await cluster.member('192.0.2.1', { dynamicPeers: [RANGE], log, ...options })
  us.speaker.setPeers([])
  return { cluster, us, log }
}

async function guest(cluster: Cluster, us: Member, number: number): Promise<Member> {
  const member = await cluster.member(`192.0.2.${number}`)
  member.speaker.setPeers([{ ...meshPeer(us.address, member.address), dialAfter: millis(0) }])
  return member
}
