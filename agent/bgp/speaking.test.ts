/** A node changes who it is in BGP: what it learned is held until it has heard everybody again. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { silentLog } from '@network/base/run/log.ts'
import { seededRandom } from '@network/base/testing/seeded-random.ts'
import { millis, seconds } from '@network/base/time/units.ts'
import { ACCEPTED, acceptAll, Speaker } from '@network/bgp/speaker.ts'
import { Cluster, meshPeer, routes } from '@network/bgp/testing/cluster.ts'
import type { Identity } from '../plan/identity.ts'
import { Speaking } from './speaking.ts'

const HERE = ipv4('192.0.2.2')
const PLAIN: Identity = { asn: 64512, port: 179, clusterId: undefined }

test('a new cluster id: routes do not blink on either side, and the peer hears us again', async () => {
  const { cluster, other, speaking, said, changes } = await stage()
  speaking.say(PLAIN, said)
  cluster.run(5)
  assert.deepEqual([...speaking.learned().keys()], ['10.0.1.0/24'])
  assert.equal(other.speaker.learned().size, 1)
  const before = changes.count
  speaking.say({ ...PLAIN, clusterId: ipv4('244.0.0.1') }, said)
  for (let step = 0; step < 200; step++) {
    await new Promise(setImmediate)
    cluster.clock.advance(millis(50))
    assert.deepEqual([...speaking.learned().keys()], ['10.0.1.0/24'], `at step ${step}`)
    assert.equal(other.speaker.learned().size, 1, `at step ${step}`)
  }
  assert.ok(changes.count > before, 'it began anew')
  assert.equal(speaking.status().settled, true)
  assert.equal(speaking.status().peers[0]?.state, 'established')
  assert.equal([...other.speaker.learned().values()][0]?.stale, false)
})

test('the same identity said again begins nothing anew', async () => {
  const { cluster, speaking, said, changes } = await stage()
  speaking.say(PLAIN, said)
  cluster.run(5)
  speaking.say({ ...PLAIN }, said)
  cluster.run(5)
  assert.equal(changes.count, 1)
  assert.equal(speaking.status().peers[0]?.flaps, 0)
})

test('what the peer no longer tells after a change goes once all is heard', async () => {
  const { cluster, other, speaking, said } = await stage()
  speaking.say(PLAIN, said)
  cluster.run(5)
  speaking.say({ ...PLAIN, clusterId: ipv4('244.0.0.1') }, said)
  other.speaker.originate(routes())
  assert.equal(speaking.learned().size, 1, 'P0: it is held')
  for (let step = 0; step < 200; step++) {
    await new Promise(setImmediate)
    cluster.clock.advance(millis(50))
  }
  assert.equal(speaking.learned().size, 0)
})

test('tells of routes that come and go, not of sessions', async () => {
  const { cluster, other, speaking, said, changes } = await stage()
  speaking.say(PLAIN, said)
  cluster.run(5)
  assert.equal(changes.heard, 1)
  cluster.network.lose(HERE, other.address, 'both')
  cluster.run(30)
  assert.equal(speaking.status().peers[0]?.flaps, 1)
  assert.equal(changes.heard, 1, 'the routes stayed over the loss of the session')
  other.speaker.originate(routes())
  cluster.run(5)
  assert.equal(changes.heard, 2)
})

async function stage() {
  const cluster = new Cluster()
  const other = await cluster.member('192.0.2.1')
  other.speaker.originate(routes('10.0.1.0/24'))
  other.speaker.setPeers([meshPeer(HERE, other.address)])
  const changes = { count: 0, heard: 0 }
  const speaking = new Speaking({
    identity: PLAIN,
    make: ({ asn, port, clusterId }, again) => {
      changes.count++
      return new Speaker({
        ...{ routerId: HERE, asn, listen: { address: HERE, port }, holdTime: seconds(30), connectRetry: millis(2000) },
        ...(clusterId === undefined ? {} : { clusterId }),
        gracefulRestart: { restartTime: seconds(120), restarting: again, deferral: millis(60_000) },
        importFilter: () => ACCEPTED,
        ...{ clock: cluster.clock, random: seededRandom(1), log: silentLog, transport: cluster.network.host(HERE) },
      })
    },
    changed: () => {
      changes.heard++
    },
    ...{ clock: cluster.clock, log: silentLog, signal: new AbortController().signal },
  })
  await speaking.start()
  const said = { peers: [meshPeer(other.address, HERE)], routes: routes('10.0.2.0/24'), filter: acceptAll }
  return { cluster, other, speaking, said, changes }
}
