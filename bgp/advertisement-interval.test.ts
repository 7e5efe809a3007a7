/** The pace of announcements towards a peer: gathered, withdrawals at once, and nothing forgotten. RFC 4271 §9.2.1.1. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { millis } from '@network/base/time/units.ts'
import type { PeerConfig } from './options.ts'
import { Cluster, learnedText, meshPeer, peerOf, routes } from './testing/cluster.ts'

async function pair(towardsB: Partial<PeerConfig>) {
  const cluster = new Cluster()
  const [a, b] = [await cluster.member('192.0.2.1'), await cluster.member('192.0.2.2')]
  a.speaker.originate(routes('10.1.0.0/24'))
  a.speaker.setPeers([{ ...meshPeer(b.address, a.address), ...towardsB }])
  b.speaker.setPeers([meshPeer(a.address, b.address)])
  cluster.run(3)
  const updates = () => peerOf(a, b).messages.out.update
  return { cluster, a, b, updates }
}

/** 30 seconds, from 22.5 on. */
const PACED = { advertisementInterval: millis(30_000) }
const FIRST = '10.1.0.0/24 via 192.0.2.1'
const SECOND = '10.2.0.0/24 via 192.0.2.1'

describe('the advertisement interval', () => {
  test('left out: every change is told at once', async () => {
    const { cluster, a, b } = await pair({})
    a.speaker.originate(routes('10.1.0.0/24', '10.2.0.0/24'))
    cluster.run(0.1)
    assert.deepEqual(learnedText(b), [FIRST, SECOND])
  })

  test('an announcement waits after another one, and comes within the interval', async () => {
    const { cluster, a, b } = await pair(PACED)
    cluster.run(31)
    a.speaker.originate(routes('10.1.0.0/24', '10.2.0.0/24'))
    cluster.run(0.1)
    assert.deepEqual(learnedText(b), [FIRST, SECOND], 'after a quiet time it goes at once')
    a.speaker.originate(routes('10.1.0.0/24', '10.2.0.0/24', '10.3.0.0/24'))
    cluster.run(22)
    assert.deepEqual(learnedText(b), [FIRST, SECOND])
    cluster.run(9)
    assert.equal(learnedText(b).length, 3)
  })

  test('a withdrawal does not wait, and what comes and goes meanwhile is never told', async () => {
    const { cluster, a, b, updates } = await pair(PACED)
    cluster.run(31)
    a.speaker.originate(routes('10.1.0.0/24', '10.2.0.0/24'))
    cluster.run(0.1)
    const before = updates()
    a.speaker.originate(routes('10.2.0.0/24'))
    cluster.run(0.1)
    assert.deepEqual(learnedText(b), [SECOND])
    for (let flap = 0; flap < 5; flap++) {
      a.speaker.originate(routes('10.2.0.0/24', '10.3.0.0/24'))
      cluster.run(1)
      a.speaker.originate(routes('10.2.0.0/24'))
      cluster.run(1)
    }
    assert.equal(updates() - before, 1)
    cluster.run(40)
    assert.deepEqual(learnedText(b), [SECOND])
    assert.equal(updates() - before, 1)
  })

  test('a peer that comes meanwhile hears all of it before End-of-RIB', async () => {
    const { cluster, a, b } = await pair(PACED)
    const c = await cluster.member('192.0.2.3')
    cluster.run(31)
    const towards = [b, c].map(({ address }) => ({ ...meshPeer(address, a.address), ...PACED }))
    a.speaker.originate(routes('10.1.0.0/24', '10.2.0.0/24'))
    cluster.run(0.1)
    a.speaker.originate(routes('10.1.0.0/24', '10.2.0.0/24', '10.3.0.0/24'))
    cluster.run(0.1)
    a.speaker.setPeers(towards)
    c.speaker.setPeers([meshPeer(a.address, c.address)])
    cluster.run(5)
    assert.deepEqual([peerOf(c, a).state, peerOf(c, a).gracefulRestart.endOfRibReceived], ['established', false])
    cluster.run(30)
    assert.deepEqual([learnedText(c).length, peerOf(c, a).gracefulRestart.endOfRibReceived], [3, true])
  })
})
