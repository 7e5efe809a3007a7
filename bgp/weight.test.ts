/** Weights of peers in whole speakers: they count before LOCAL_PREF, change with the configuration, and stay at home. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Cluster, learnedText, meshPeer, routes } from './testing/cluster.ts'

const NET = '10.1.0.0/24'

test('the heavier peer wins, why says so, and another weight moves the route without a new session', async () => {
  const cluster = new Cluster()
  const us = await cluster.member('192.0.2.1')
  const [low, high] = [await cluster.member('192.0.2.2'), await cluster.member('192.0.2.3')]
  const weigh = (weight: number) =>
    us.speaker.setPeers([meshPeer(low.address, us.address), { ...meshPeer(high.address, us.address), weight }])
  weigh(0)
  for (const each of [low, high]) {
    each.speaker.setPeers([meshPeer(us.address, each.address)])
    each.speaker.originate(routes(NET))
  }
  cluster.run(5)
  assert.deepEqual(learnedText(us), [`${NET} via 192.0.2.2`])
  weigh(7)
  cluster.run(1)
  assert.deepEqual(learnedText(us), [`${NET} via 192.0.2.3`])
  assert.deepEqual(
    us.speaker.explain(NET).paths.map(({ verdict }) => verdict),
    [{ is: 'best' }, { is: 'lost', by: 'weight' }],
  )
  weigh(0)
  cluster.run(1)
  assert.deepEqual(learnedText(us), [`${NET} via 192.0.2.2`])
  assert.deepEqual(
    us.speaker.status().peers.map(({ flaps }) => flaps),
    [0, 0],
  )
})

test('own routes win over any weight', async () => {
  const cluster = new Cluster()
  const [us, peer] = [await cluster.member('192.0.2.1'), await cluster.member('192.0.2.2')]
  us.speaker.setPeers([{ ...meshPeer(peer.address, us.address), weight: 65535 }])
  peer.speaker.setPeers([meshPeer(us.address, peer.address)])
  for (const each of [us, peer]) each.speaker.originate(routes(NET))
  cluster.run(5)
  assert.deepEqual(
    us.speaker.explain(NET).paths.map(({ from, verdict }) => [from, verdict]),
    [
      ['local', { is: 'best' }],
      ['192.0.2.2', { is: 'lost', by: 'local-origin' }],
    ],
  )
})
