/** Whole speakers joined in memory: sessions, routes, loss, graceful restart in both roles. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { formatIpv4, ipv4 } from '@network/base/net/ipv4.ts'
import { millis, seconds } from '@network/base/time/units.ts'
import { ACCEPTED, type PeerConfig } from './options.ts'
import { Cluster, learnedText, type Member, meshPeer, peerOf, recordingLog, routes } from './testing/cluster.ts'

const RESTARTING = { restartTime: seconds(120), restarting: true, deferral: millis(60_000) }

describe('a mesh', () => {
  test('comes up, exchanges routes and stays up for a day without a flap', async () => {
    const cluster = new Cluster()
    const members = [await cluster.member('192.0.2.1'), await cluster.member('192.0.2.2'), await cluster.member('192.0.2.3')]
    for (const [index, member] of members.entries()) member.speaker.originate(routes(`10.244.${index}.0/26`))
    cluster.mesh(...members)
    cluster.run(3)
    assert.deepEqual(members.map(learnedText), [
      ['10.244.1.0/26 via 192.0.2.2', '10.244.2.0/26 via 192.0.2.3'],
      ['10.244.0.0/26 via 192.0.2.1', '10.244.2.0/26 via 192.0.2.3'],
      ['10.244.0.0/26 via 192.0.2.1', '10.244.1.0/26 via 192.0.2.2'],
    ])
    cluster.run(86_400)
    for (const member of members)
      for (const peer of member.speaker.status().peers) {
        assert.equal(peer.state, 'established')
        assert.equal(peer.flaps, 0)
        assert.equal(peer.messages.in.update, 2)
        assert.ok(peer.sinceMillis > 86_000_000)
      }
    assert.equal(cluster.network.streams, 3)
  })

  test('withdraws only what it announced, and says a change once', async () => {
    const { cluster, a, b } = await couple()
    a.speaker.originate(routes('10.0.0.0/24', '10.0.1.0/24'))
    cluster.run(1)
    a.speaker.originate(routes('10.0.1.0/24'))
    cluster.run(1)
    assert.deepEqual(learnedText(b), ['10.0.1.0/24 via 192.0.2.1'])
    const told = b.changes.flatMap(change => (change.is === 'routes' ? [change.prefixes.join(' ')] : []))
    assert.deepEqual(told, ['10.0.0.0/24 10.0.1.0/24', '10.0.0.0/24'])
  })

  test('both dial at once: one connection lives, whoever dials first', async () => {
    for (const delay of [0, 1, 2, 3, 4, 5]) {
      const cluster = new Cluster()
      const [a, b] = [await cluster.member('192.0.2.1'), await cluster.member('192.0.2.2')]
      a.speaker.setPeers([{ ...meshPeer(b.address, a.address), dialAfter: millis(0) }])
      b.speaker.setPeers([{ ...meshPeer(a.address, b.address), dialAfter: millis(delay) }])
      cluster.run(10)
      assert.equal(peerOf(a, b).state, 'established', `delay ${delay}`)
      assert.equal(peerOf(b, a).state, 'established', `delay ${delay}`)
      assert.equal(cluster.network.streams, 1, `delay ${delay}`)
      assert.ok(peerOf(a, b).flaps <= 1, `delay ${delay}`)
    }
  })

  test('twenty speakers that all dial at once settle into one session a pair', async () => {
    const cluster = new Cluster()
    const members = await Promise.all(Array.from({ length: 20 }, (_, index) => cluster.member(`192.0.2.${index + 1}`)))
    for (const [index, member] of members.entries()) member.speaker.originate(routes(`10.0.${index}.0/24`))
    for (const member of members) {
      const others = members.filter(other => other !== member)
      member.speaker.setPeers(others.map(other => ({ ...meshPeer(other.address, member.address), dialAfter: millis(0) })))
    }
    cluster.run(20)
    assert.equal(cluster.network.streams, 190)
    for (const member of members) assert.equal(member.speaker.learned().size, 19)
  })
})

describe('declaring', () => {
  test('the same peers again: nothing blinks; one more and one less: only those', async () => {
    const { cluster, a, b } = await couple()
    const c = await cluster.member('192.0.2.3')
    b.speaker.originate(routes('10.0.2.0/24'))
    cluster.run(1)
    const since = peerOf(a, b).since
    cluster.mesh(a, b, c)
    cluster.run(5)
    assert.equal(peerOf(a, b).since, since)
    assert.equal(peerOf(a, c).state, 'established')
    cluster.mesh(a, b)
    cluster.run(1)
    assert.equal(peerOf(a, b).since, since)
    assert.equal(a.speaker.status().peers.length, 1)
    assert.deepEqual(peerOf(c, a).lastError?.code, 6)
    assert.deepEqual(peerOf(c, a).lastError?.subcode, 3)
  })

  test('a peer that leaves the configuration while its routes are stale takes them with it at once', async () => {
    const { cluster, a, b } = await couple()
    b.speaker.originate(routes('10.0.2.0/24'))
    cluster.run(1)
    cluster.network.crash(b.address)
    cluster.run(1)
    assert.deepEqual(learnedText(a), ['10.0.2.0/24 via 192.0.2.2 stale'])
    a.speaker.setPeers([])
    assert.deepEqual(learnedText(a), [])
  })

  test('another import filter judges again what was heard before', async () => {
    const { cluster, a, b } = await couple()
    a.speaker.setImportFilter(() => ({ is: 'refused', why: 'outside every pool' }))
    b.speaker.originate(routes('10.0.2.0/24'))
    cluster.run(1)
    assert.deepEqual(learnedText(a), [])
    assert.deepEqual(a.speaker.explain('10.0.2.0/24').paths[0]?.verdict, { is: 'refused', why: 'outside every pool' })
    assert.deepEqual(peerOf(a, b).prefixes, { received: 1, accepted: 0, advertised: 0, stale: 0 })
    a.speaker.setImportFilter(() => ACCEPTED)
    assert.deepEqual(learnedText(a), ['10.0.2.0/24 via 192.0.2.2'])
    assert.equal(peerOf(a, b).flaps, 0)
  })

  test('two passive peers never meet; one that may dial from now on does', async () => {
    const cluster = new Cluster()
    const [a, b] = [await cluster.member('192.0.2.1'), await cluster.member('192.0.2.2')]
    a.speaker.setPeers([{ ...meshPeer(b.address, a.address), passive: true }])
    b.speaker.setPeers([{ ...meshPeer(a.address, b.address), passive: true }])
    cluster.run(60)
    assert.equal(peerOf(a, b).state, 'active')
    a.speaker.setPeers([meshPeer(b.address, a.address)])
    cluster.run(1)
    assert.equal(peerOf(a, b).state, 'established')
  })

  test('a stranger is refused without a word and counted', async () => {
    const cluster = new Cluster()
    const [a, b] = [await cluster.member('192.0.2.1'), await cluster.member('192.0.2.2')]
    b.speaker.setPeers([meshPeer(a.address, b.address)])
    cluster.run(10)
    assert.equal(a.speaker.status().strangers.last, '192.0.2.2')
    assert.equal(peerOf(b, a).messages.in.open, 0)
    a.speaker.setPeers([meshPeer(b.address, a.address)])
    cluster.run(3)
    assert.equal(peerOf(a, b).state, 'established')
  })
})

describe('losing a peer', () => {
  test('silence: hold timer, 4/0, routes gone; back within seconds when the line is mended', async () => {
    const { cluster, a, b } = await couple()
    b.speaker.originate(routes('10.0.2.0/24'))
    cluster.run(1)
    cluster.network.cut(a.address, b.address)
    cluster.run(31)
    assert.deepEqual(learnedText(a), [])
    assert.deepEqual(peerOf(a, b).lastError?.code, 4)
    cluster.network.mend(a.address, b.address)
    cluster.run(5)
    assert.deepEqual(learnedText(a), ['10.0.2.0/24 via 192.0.2.2'])
  })

  test('shutdown with a word: routes go at once', async () => {
    const { cluster, a, b } = await couple()
    b.speaker.originate(routes('10.0.2.0/24'))
    cluster.run(1)
    await b.speaker.stop({ graceful: false })
    cluster.run(1)
    assert.deepEqual(learnedText(a), [])
    assert.equal(peerOf(a, b).lastError?.text, 'the peer sent cease, administrative shutdown (6/2)')
  })

  test('a hundred restarts leave one stream and two routes', async () => {
    const { cluster, a, b } = await couple()
    let life: Member = b
    for (let round = 0; round < 100; round++) {
      await life.speaker.stop({ graceful: round % 2 === 0 })
      life = await cluster.member('192.0.2.2', { gracefulRestart: RESTARTING })
      life.speaker.originate(routes('10.0.2.0/24', '10.0.3.0/24'))
      life.speaker.setPeers([meshPeer(a.address, life.address)])
      cluster.run(5)
    }
    assert.equal(cluster.network.streams, 1)
    assert.deepEqual(learnedText(a), ['10.0.2.0/24 via 192.0.2.2', '10.0.3.0/24 via 192.0.2.2'])
  })
})

describe('graceful restart, helping', () => {
  test('kill and return: routes stay, are repeated, and nobody hears of a change', async () => {
    const { cluster, a, b } = await couple()
    b.speaker.originate(routes('10.0.2.0/24', '10.0.3.0/24'))
    cluster.run(1)
    const before = a.changes.filter(change => change.is === 'routes').length
    cluster.network.crash(b.address)
    cluster.run(5)
    assert.deepEqual(learnedText(a), ['10.0.2.0/24 via 192.0.2.2 stale', '10.0.3.0/24 via 192.0.2.2 stale'])
    assert.equal(peerOf(a, b).gracefulRestart.helping, true)
    assert.equal(peerOf(a, b).prefixes.stale, 2)
    await reborn(cluster, a, ['10.0.2.0/24', '10.0.3.0/24'])
    cluster.run(5)
    assert.deepEqual(learnedText(a), ['10.0.2.0/24 via 192.0.2.2', '10.0.3.0/24 via 192.0.2.2'])
    assert.equal(a.changes.filter(change => change.is === 'routes').length, before)
    assert.equal(peerOf(a, b).gracefulRestart.helping, false)
  })

  test('what is not repeated goes at End-of-RIB', async () => {
    const { cluster, a, b } = await couple()
    b.speaker.originate(routes('10.0.2.0/24', '10.0.3.0/24'))
    cluster.run(1)
    cluster.network.crash(b.address)
    await reborn(cluster, a, ['10.0.3.0/24'])
    cluster.run(5)
    assert.deepEqual(learnedText(a), ['10.0.3.0/24 via 192.0.2.2'])
  })

  test('never back: all goes when the restart time is over', async () => {
    const { cluster, a, b } = await couple()
    b.speaker.originate(routes('10.0.2.0/24'))
    cluster.run(1)
    cluster.network.crash(b.address)
    cluster.run(119)
    assert.deepEqual(learnedText(a), ['10.0.2.0/24 via 192.0.2.2 stale'])
    cluster.run(2)
    assert.deepEqual(learnedText(a), [])
  })

  test('back without forwarding state (F=0): all goes as soon as the session stands', async () => {
    const { cluster, a, b } = await couple()
    b.speaker.originate(routes('10.0.2.0/24'))
    cluster.run(1)
    cluster.network.crash(b.address)
    const fresh = await cluster.member('192.0.2.2')
    fresh.speaker.setPeers([meshPeer(a.address, fresh.address)])
    cluster.run(5)
    assert.equal(peerOf(a, b).state, 'established')
    assert.deepEqual(learnedText(a), [])
  })

  test('power failure and return before the hold timer: the new connection replaces the old one, routes stay', async () => {
    const { cluster, a, b } = await couple()
    b.speaker.originate(routes('10.0.2.0/24'))
    cluster.run(1)
    const changes = a.changes.filter(change => change.is === 'routes').length
    cluster.network.powerOff(b.address)
    await reborn(cluster, a, ['10.0.2.0/24'])
    cluster.run(4)
    assert.equal(peerOf(a, b).flaps, 1)
    assert.equal(peerOf(a, b).state, 'established')
    assert.deepEqual(learnedText(a), ['10.0.2.0/24 via 192.0.2.2'])
    assert.equal(a.changes.filter(change => change.is === 'routes').length, changes)
    assert.equal(cluster.network.streams, 1)
  })

  test('a second loss before End-of-RIB drops what was stale already', async () => {
    const { cluster, a, b } = await couple()
    b.speaker.originate(routes('10.0.2.0/24'))
    cluster.run(1)
    cluster.network.crash(b.address)
    cluster.run(1)
    // External peers keep End-of-RIB back until others finished: here the reborn one waits for a peer that never comes.
    const reborn = await cluster.member('192.0.2.2', { gracefulRestart: RESTARTING })
    reborn.speaker.setPeers([
      meshPeer(a.address, reborn.address),
      { ...meshPeer(ipv4('198.51.100.1'), reborn.address), asn: 65001 },
    ])
    cluster.run(4)
    assert.deepEqual(learnedText(a), ['10.0.2.0/24 via 192.0.2.2 stale'])
    cluster.network.crash(b.address)
    cluster.run(1)
    assert.deepEqual(learnedText(a), [])
  })
})

describe('graceful restart, restarting', () => {
  test('settles when every peer has sent End-of-RIB', async () => {
    const { cluster, a, b } = await couple()
    await a.speaker.stop({ graceful: true })
    const again = await cluster.member('192.0.2.1', { gracefulRestart: RESTARTING })
    again.speaker.setPeers([meshPeer(b.address, again.address)])
    assert.equal(again.speaker.status().settled, false)
    cluster.run(3)
    assert.equal(await again.speaker.settled, 'all-peers')
    assert.equal(peerOf(b, again).session?.gracefulRestart?.restarting, true)
  })

  test('has learned all that was heard by the moment when it settles', async () => {
    const { cluster, a, b } = await couple()
    b.speaker.originate(routes('10.0.2.0/24'))
    cluster.run(1)
    await a.speaker.stop({ graceful: true })
    const again = await cluster.member('192.0.2.1', { gracefulRestart: RESTARTING })
    again.speaker.setPeers([meshPeer(b.address, again.address)])
    for (let step = 0; step < 5000 && !again.speaker.status().settled; step++) cluster.run(0.001)
    assert.equal(again.speaker.status().settled, true)
    assert.deepEqual(learnedText(again), ['10.0.2.0/24 via 192.0.2.2'])
  })

  test('settles by the deadline when a peer does not come; without peers at once', async () => {
    const cluster = new Cluster()
    const a = await cluster.member('192.0.2.1', { gracefulRestart: RESTARTING })
    a.speaker.setPeers([meshPeer(ipv4('192.0.2.9'), a.address)])
    cluster.run(59)
    assert.equal(a.speaker.status().settled, false)
    cluster.run(2)
    assert.equal(await a.speaker.settled, 'deadline')
    const alone = await cluster.member('192.0.2.2')
    alone.speaker.setPeers([])
    assert.equal(await alone.speaker.settled, 'all-peers')
  })

  test('a graceful stop keeps our routes at the peers', async () => {
    const { cluster, a, b } = await couple()
    b.speaker.originate(routes('10.0.2.0/24'))
    cluster.run(1)
    await b.speaker.stop({ graceful: true })
    cluster.run(1)
    assert.deepEqual(learnedText(a), ['10.0.2.0/24 via 192.0.2.2 stale'])
    assert.equal(peerOf(a, b).messages.in.notification, 0)
  })

  test('two that restart together do not wait for each other', async () => {
    const cluster = new Cluster()
    const [a, b] = [
      await cluster.member('192.0.2.1', { gracefulRestart: RESTARTING }),
      await cluster.member('192.0.2.2', { gracefulRestart: RESTARTING, asn: 65001 }),
    ]
    a.speaker.originate(routes('10.0.1.0/24'))
    a.speaker.setPeers([{ ...meshPeer(b.address, a.address), asn: 65001 }])
    b.speaker.setPeers([meshPeer(a.address, b.address)])
    cluster.run(3)
    assert.equal(await a.speaker.settled, 'all-peers')
    assert.deepEqual(learnedText(b), ['10.0.1.0/24 via 192.0.2.1'])
  })
})

describe('an external peer', () => {
  test('hears the mesh through us with our AS in front and tells the mesh its own', async () => {
    const cluster = new Cluster()
    const log = recordingLog()
    const [a, b] = [await cluster.member('192.0.2.1', { log }), await cluster.member('192.0.2.2')]
    const tor = await cluster.member('198.51.100.1', { asn: 65001 })
    a.speaker.originate(routes('10.0.1.0/24'))
    b.speaker.originate(routes('10.0.2.0/24'))
    tor.speaker.originate(routes('0.0.0.0/0'))
    const external: PeerConfig = { ...meshPeer(tor.address, a.address), asn: 65001, name: 'tor' }
    a.speaker.setPeers([meshPeer(b.address, a.address), external])
    b.speaker.setPeers([meshPeer(a.address, b.address)])
    tor.speaker.setPeers([meshPeer(a.address, tor.address)])
    cluster.run(5)
    assert.deepEqual(learnedText(tor), ['10.0.1.0/24 via 192.0.2.1', '10.0.2.0/24 via 192.0.2.1'])
    const heard = tor.speaker.learned().get('10.0.2.0/24')
    assert.deepEqual(heard?.attributes.asPath, [{ kind: 'sequence', asns: [64512] }])
    assert.equal(heard?.attributes.localPref, undefined)
    assert.deepEqual(learnedText(b), ['0.0.0.0/0 via 198.51.100.1', '10.0.1.0/24 via 192.0.2.1'])
    assert.equal(b.speaker.learned().get('0.0.0.0/0')?.attributes.localPref, 100)
    assert.ok(log.lines.some(({ message, fields }) => message === 'peer up' && fields?.['name'] === 'tor'))
  })

  test('wrong AS: 2/2, and the next dial waits longer each time', async () => {
    const cluster = new Cluster()
    const [a, b] = [await cluster.member('192.0.2.1'), await cluster.member('192.0.2.2', { asn: 65002 })]
    a.speaker.setPeers([{ ...meshPeer(b.address, a.address), asn: 65001 }])
    b.speaker.setPeers([{ ...meshPeer(a.address, b.address), passive: true }])
    cluster.run(300)
    assert.equal(peerOf(a, b).lastError?.text, 'OPEN error, bad peer AS (2/2): the peer says AS 65002, configured is 65001')
    assert.ok(peerOf(a, b).messages.out.open < 15, `${peerOf(a, b).messages.out.open} attempts`)
    a.speaker.setPeers([{ ...meshPeer(b.address, a.address), asn: 65002 }])
    cluster.run(3)
    assert.equal(peerOf(a, b).state, 'established')
  })
})

async function couple(): Promise<{ cluster: Cluster; a: Member; b: Member }> {
  const cluster = new Cluster()
  const [a, b] = [await cluster.member('192.0.2.1'), await cluster.member('192.0.2.2')]
  cluster.mesh(a, b)
  cluster.run(3)
  assert.equal(peerOf(a, b).state, 'established', `${formatIpv4(a.address)} is up`)
  return { cluster, a, b }
}

async function reborn(cluster: Cluster, peer: Member, texts: readonly string[]): Promise<Member> {
  const next = await cluster.member('192.0.2.2', { gracefulRestart: RESTARTING })
  next.speaker.originate(routes(...texts))
  next.speaker.setPeers([meshPeer(peer.address, next.address)])
  return next
}
