/** Passwords of peers as the speaker uses them: towards the network, towards those who come unnamed, and in its status. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { prefix } from '@network/base/net/prefix.ts'
import { silentLog } from '@network/base/run/log.ts'
import { Secret } from '@network/base/run/secret.ts'
import { seededRandom } from '@network/base/testing/seeded-random.ts'
import { millis, seconds } from '@network/base/time/units.ts'
import { acceptAll, type PeerConfig } from './options.ts'
import { recordedSpeaker } from './record/recorder.ts'
import { Cluster, learnedText, type Member, meshPeer, peerOf, recordingLog, routes } from './testing/cluster.ts'

const keyed = (address: Member, self: Member, text: string | undefined): PeerConfig => ({
  ...meshPeer(address.address, self.address),
  ...(text === undefined ? {} : { password: new Secret(text) }),
})

test('the same password: a session; another or none: none, and the status says why that may be', async () => {
  const cluster = new Cluster()
  const log = recordingLog()
  const a = await cluster.member('192.0.2.1', { log })
  const b = await cluster.member('192.0.2.2')
  b.speaker.originate(routes('10.2.0.0/24'))
  for (const [here, there, stands] of [
    ['right', 'wrong', false],
    ['right', undefined, false],
    [undefined, 'right', false],
    ['right', 'right', true],
  ] as const) {
    a.speaker.setPeers([keyed(b, a, here)])
    b.speaker.setPeers([keyed(a, b, there)])
    cluster.run(20)
    const { state, lastError, protection } = peerOf(a, b)
    assert.equal(state === 'established', stands, `${here} and ${there}`)
    assert.equal(protection.md5, here !== undefined)
    if (!stands && here !== undefined)
      assert.match(lastError?.text ?? '', /no answer from 192\.0\.2\.2 port 179: a password is set here/)
  }
  assert.deepEqual(learnedText(a), ['10.2.0.0/24 via 192.0.2.2'])
  assert.doesNotMatch(inspect([a.speaker.status(), log.lines], { depth: null }), /right|wrong/)
})

test('another password for a standing session, named or not, takes no new session', async () => {
  const cluster = new Cluster()
  const range = (text: string) => ({ range: prefix('192.0.2.0/24'), limit: 5, peer: { asn: 64512, password: new Secret(text) } })
  const hub = await cluster.member('192.0.2.1', { dynamicPeers: [range('old')] })
  const guest = await cluster.member('192.0.2.2')
  guest.speaker.setPeers([keyed(hub, guest, 'old')])
  cluster.run(10)
  assert.equal(peerOf(hub, guest).state, 'established')
  hub.speaker.setDynamicPeers([range('new')])
  guest.speaker.setPeers([keyed(hub, guest, 'new')])
  cluster.run(60)
  assert.deepEqual([peerOf(hub, guest).flaps, peerOf(guest, hub).flaps], [0, 0])
  const other = await cluster.member('192.0.2.3')
  other.speaker.setPeers([keyed(hub, other, 'old')])
  cluster.run(30)
  assert.notEqual(peerOf(other, hub).state, 'established')
  other.speaker.setPeers([keyed(hub, other, 'new')])
  cluster.run(30)
  assert.equal(peerOf(other, hub).state, 'established')
})

test('another hop limit is another session: 6/6', async () => {
  const cluster = new Cluster()
  const a = await cluster.member('192.0.2.1')
  const b = await cluster.member('192.0.2.2')
  cluster.mesh(a, b)
  cluster.run(10)
  a.speaker.setPeers([{ ...meshPeer(b.address, a.address), ttlSecurity: { hops: 1 } }])
  cluster.run(1)
  assert.match(peerOf(b, a).lastError?.text ?? '', /\(6\/6\)/)
  assert.equal(peerOf(a, b).protection.ttlSecurityHops, 1)
})

test('a recording has no password in it', async () => {
  const cluster = new Cluster()
  const b = await cluster.member('192.0.2.2')
  const here = ipv4('192.0.2.1')
  const lines: string[] = []
  const options = {
    routerId: here,
    asn: 64512,
    listen: { address: here, port: 179 },
    holdTime: seconds(30),
    connectRetry: millis(2000),
    gracefulRestart: { restartTime: seconds(120), restarting: false, deferral: millis(60_000) },
    importFilter: acceptAll,
    dynamicPeers: [{ range: prefix('198.51.100.0/24'), limit: 5, peer: { asn: 64512, password: new Secret('hunter3') } }],
    clock: cluster.clock,
    random: seededRandom(5),
    log: silentLog,
    transport: cluster.network.host(here),
  }
  const speaker = recordedSpeaker(options, line => lines.push(line))
  await speaker.start()
  speaker.setPeers([{ ...meshPeer(b.address, here), password: new Secret('hunter2') }])
  b.speaker.setPeers([{ ...meshPeer(here, b.address), password: new Secret('hunter2') }])
  for (let second = 0; second < 20; second++) {
    cluster.run(1)
    await new Promise(resolve => setImmediate(resolve))
  }
  assert.equal(speaker.status().peers[0]?.state, 'established')
  await new Promise(resolve => setImmediate(resolve))
  const text = lines.join('\n')
  assert.match(text, /"password":"\(secret\)"/)
  assert.doesNotMatch(text, /hunter/)
})
