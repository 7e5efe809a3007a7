/** What an operator may do to a session that stands: hear all again, tell all again, begin anew. RFC 2918, RFC 7313, RFC 9003, RFC 8538. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { prefix } from '@network/base/net/prefix.ts'
import { plainAttributes } from './attributes/attributes.ts'
import { encodeAttributes } from './attributes/encode.ts'
import type { SpeakerOptions } from './options.ts'
import { Cluster, learnedText, type Member, meshPeer, peerOf, routes } from './testing/cluster.ts'
import { RawPeer } from './testing/raw-peer.ts'
import { type Capabilities, IPV4_UNICAST } from './wire/capabilities.ts'
import { decodeRouteRefresh, encodeRouteRefresh } from './wire/route-refresh.ts'
import { encodeAnnouncement } from './wire/update.ts'

const RAW = ipv4('192.0.2.66')

/** We, and a raw peer that has told one route and heard one. */
async function met(capabilities: Partial<Capabilities>) {
  const cluster = new Cluster()
  const us = await cluster.member('192.0.2.1')
  us.speaker.originate(routes('10.1.0.0/24'))
  us.speaker.setPeers([{ ...meshPeer(RAW, us.address), passive: true }])
  const raw = new RawPeer()
  raw.dial(cluster.network.host(RAW), us.address)
  cluster.run(1)
  raw.greet({}, capabilities)
  const block = encodeAttributes({ ...plainAttributes(RAW), localPref: 100 }, { kind: 'internal', asnOctets: 4 })
  raw.say(encodeAnnouncement(block, [prefix('10.8.0.0/24')]))
  cluster.run(1)
  const after = (act: () => void) => {
    const before = raw.heard.length
    act()
    cluster.run(1)
    return raw.heard.slice(before).map(({ kind, body }) => {
      const refresh = kind === 'routeRefresh' ? decodeRouteRefresh(body) : undefined
      return refresh?.is === 'refresh' ? refresh.kind : kind
    })
  }
  return { cluster, us, raw, after }
}

test('a hundred requests at once get one answer', async () => {
  const { raw, after } = await met({ enhancedRefresh: true })
  const heard = after(() => raw.say(...Array.from({ length: 100 }, () => encodeRouteRefresh(IPV4_UNICAST))))
  const answers = heard.filter(each => each === 'update').length
  assert.ok(answers >= 1 && answers <= 3, heard.join())
  assert.deepEqual(
    [heard.filter(each => each === 'begin').length, heard.filter(each => each === 'end').length],
    [answers, answers],
  )
})

describe('clear', () => {
  test('in: the peer is asked for everything', async () => {
    const { us, after } = await met({})
    assert.deepEqual(
      after(() => assert.equal(us.speaker.clear(RAW, { is: 'in' }), 'asked')),
      ['ask'],
    )
    assert.deepEqual(learnedText(us), ['10.8.0.0/24 via 192.0.2.66'])
  })

  test('in, of a peer that cannot be asked: what it told is judged again', async () => {
    const { us, after } = await met({ routeRefresh: false })
    assert.deepEqual(
      after(() => assert.equal(us.speaker.clear(RAW, { is: 'in' }), 'judged-again')),
      [],
    )
    assert.deepEqual(learnedText(us), ['10.8.0.0/24 via 192.0.2.66'])
  })

  test('out: the peer is told everything, between begin and end where it knows them', async () => {
    const plain = await met({})
    assert.deepEqual(
      plain.after(() => assert.equal(plain.us.speaker.clear(RAW, { is: 'out' }), 'told-again')),
      ['update'],
    )
    const enhanced = await met({ enhancedRefresh: true })
    assert.deepEqual(
      enhanced.after(() => enhanced.us.speaker.clear(RAW, { is: 'out' })),
      ['begin', 'update', 'end'],
    )
  })

  const toldOf = ({ changes }: Member) => changes.flatMap(change => (change.is === 'routes' ? change.prefixes : []))

  async function pair(options: Partial<SpeakerOptions>) {
    const cluster = new Cluster()
    const [a, b] = [await cluster.member('192.0.2.1', options), await cluster.member('192.0.2.2', options)]
    cluster.mesh(a, b)
    b.speaker.originate(routes('10.2.0.0/24'))
    a.speaker.originate(routes('10.1.0.0/24'))
    cluster.run(5)
    return { cluster, a, b }
  }

  test('hard: 6/4 with the words, and the session comes again', async () => {
    const { cluster, a, b } = await pair({})
    assert.equal(a.speaker.clear(b.address, { is: 'hard', words: 'new line card' }), 'reset')
    cluster.run(0.1)
    assert.match(peerOf(b, a).lastError?.text ?? '', /administrative reset \(6\/4\): "new line card"/)
    cluster.run(10)
    assert.deepEqual(toldOf(b), ['10.1.0.0/24', '10.1.0.0/24', '10.1.0.0/24'], 'come, gone, and come again')
    assert.deepEqual([learnedText(a), learnedText(b)], [['10.2.0.0/24 via 192.0.2.2'], ['10.1.0.0/24 via 192.0.2.1']])
    assert.equal(peerOf(b, a).flaps, 1)
  })

  test('hard, where routes outlive a NOTIFICATION: it says that these do not (RFC 8538)', async () => {
    const { cluster, a, b } = await pair({ keepOverNotification: true })
    a.speaker.clear(b.address, { is: 'hard', words: 'afresh' })
    cluster.run(0.1)
    assert.match(peerOf(b, a).lastError?.text ?? '', /hard reset \(6\/9\), for cease, administrative reset \(6\/4\): "afresh"/)
    cluster.run(10)
    assert.deepEqual(toldOf(b), ['10.1.0.0/24', '10.1.0.0/24', '10.1.0.0/24'], 'come, gone, and come again')
  })

  test('without a session nothing is done', async () => {
    const cluster = new Cluster()
    const us = await cluster.member('192.0.2.1')
    us.speaker.setPeers([meshPeer(RAW, us.address)])
    assert.equal(us.speaker.clear(RAW, { is: 'hard', words: '' }), undefined)
    assert.equal(us.speaker.clear(ipv4('192.0.2.9'), { is: 'in' }), undefined)
  })
})
