/** A speaker, or one of its sessions, that is about to leave: others find another way first. RFC 8326. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { prefix } from '@network/base/net/prefix.ts'
import { millis } from '@network/base/time/units.ts'
import type { PeerConfig } from './options.ts'
import { formatCommunity } from './policy/community-pattern.ts'
import type { Policy } from './policy/policy.ts'
import { Cluster, learnedText, type Member, meshPeer, peerOf, recordingLog, routes } from './testing/cluster.ts'

const NET = '10.1.0.0/24'

/** Two uplinks in AS 65001 and two edges in ours; each uplink has one edge, and the edges have each other. */
async function fabric() {
  const cluster = new Cluster()
  const log = recordingLog()
  const [left, right] = [await cluster.member('192.0.2.1'), await cluster.member('192.0.2.2', { log })]
  const [up, down] = [await cluster.member('192.0.2.11', { asn: 65001 }), await cluster.member('192.0.2.12', { asn: 65001 })]
  const say = (of: Member, peers: readonly (readonly [Member, Partial<PeerConfig>])[]) =>
    of.speaker.setPeers(peers.map(([other, peer]) => ({ ...meshPeer(other.address, of.address), ...peer })))
  const leftSays = (towardsUp: Partial<PeerConfig> = {}) =>
    say(left, [
      [right, {}],
      [up, { asn: 65001, ...towardsUp }],
    ])
  leftSays()
  say(right, [
    [left, {}],
    [down, { asn: 65001 }],
  ])
  say(up, [[left, { asn: 64512 }]])
  say(down, [[right, { asn: 64512 }]])
  for (const each of [up, down]) each.speaker.originate(routes(NET))
  left.speaker.originate(routes('10.244.0.0/26'))
  cluster.run(10)
  return { cluster, left, right, up, down, leftSays, log }
}

/** LOCAL_PREF and communities of a route here. */
function dress(member: Member, key: string): readonly string[] {
  const attributes = member.speaker.learned().get(key)?.attributes
  return attributes === undefined ? [] : [`${attributes.localPref ?? '-'}`, ...attributes.communities.map(formatCommunity)]
}

describe('a speaker that drains', () => {
  test('tells every route as the last resort, takes every other way itself, and leaves with 6/2 after the delay', async () => {
    const { cluster, left, right, up, log } = await fabric()
    assert.deepEqual(learnedText(left), [`${NET} via 192.0.2.11`])
    assert.deepEqual(dress(right, '10.244.0.0/26'), ['100'])
    const drained = left.speaker.drain({ delay: millis(30_000), words: 'new kernel' })
    cluster.run(5)
    assert.deepEqual(dress(right, '10.244.0.0/26'), ['0', 'graceful-shutdown'])
    assert.deepEqual(dress(up, '10.244.0.0/26'), ['0', 'graceful-shutdown'], 'outside obeys the community')
    assert.deepEqual(learnedText(left), [`${NET} via 192.0.2.12`], 'packets here go the other way already')
    assert.deepEqual(
      left.speaker.status().peers.map(({ state, draining, flaps }) => ({ state, draining, flaps })),
      [right, up].map(() => ({ state: 'established', draining: true, flaps: 0 })),
    )
    cluster.run(20)
    assert.equal(peerOf(right, left).state, 'established')
    cluster.run(10)
    await drained
    const why = log.lines.find(({ message }) => message === 'peer down')?.fields?.['why']
    assert.match(String(why), /\(6\/2\): "new kernel"/)
    assert.deepEqual(dress(right, '10.244.0.0/26'), [], 'and then its routes are gone at once')
    await left.speaker.drain({ delay: millis(0) })
  })

  test('changes nothing of what policies refuse, and marks what they pass', async () => {
    const { cluster, left, up, leftSays } = await fabric()
    leftSays({ exportPolicy: [ONLY_PODS] })
    left.speaker.originate(routes('10.244.0.0/26', '10.9.0.0/24'))
    void left.speaker.drain({ delay: millis(30_000) })
    cluster.run(5)
    assert.deepEqual(learnedText(up), ['10.244.0.0/26 via 192.0.2.1'])
    assert.deepEqual(dress(up, '10.244.0.0/26'), ['0', 'graceful-shutdown'])
  })

  test('ends early when it is stopped', async () => {
    const { left } = await fabric()
    const drained = left.speaker.drain({ delay: millis(3_600_000) })
    await left.speaker.stop({ graceful: false })
    await drained
    assert.equal(left.speaker.status().peers[0]?.draining, true)
  })
})

describe('a session that drains', () => {
  test('is left by both sides while it stands, and taken up again without a new one', async () => {
    const { cluster, left, right, up, leftSays } = await fabric()
    leftSays({ drain: true })
    cluster.run(5)
    assert.deepEqual(dress(up, '10.244.0.0/26'), ['0', 'graceful-shutdown'])
    assert.deepEqual(dress(right, '10.244.0.0/26'), ['100'], 'the other sessions go on')
    assert.deepEqual(learnedText(left), [`${NET} via 192.0.2.12`])
    assert.deepEqual(left.speaker.explain(NET).paths[1]?.verdict, { is: 'lost', by: 'local-pref' })
    leftSays()
    cluster.run(5)
    assert.deepEqual(dress(up, '10.244.0.0/26'), ['-'])
    assert.deepEqual(learnedText(left), [`${NET} via 192.0.2.11`])
    assert.equal(peerOf(left, up).flaps, 0)
  })
})

const ONLY_PODS: Policy = {
  name: 'pods',
  rules: [
    {
      name: '1',
      when: [{ is: 'prefix', within: [{ prefix: prefix('10.244.0.0/16'), atLeast: 16, atMost: 32 }] }],
      change: [{ set: 'communities', how: 'replace', values: [] }],
      verdict: 'accept',
    },
  ],
  otherwise: 'reject',
}
