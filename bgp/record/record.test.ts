/** What was recorded replays to the same octets, and a recording that was meddled with does not. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { type Ipv6, ipv6 } from '@network/base/net/ipv6.ts'
import { silentLog } from '@network/base/run/log.ts'
import { seededRandom } from '@network/base/testing/seeded-random.ts'
import { millis, seconds } from '@network/base/time/units.ts'
import { GRACEFUL_SHUTDOWN } from '../attributes/attributes.ts'
import { acceptAll, type SpeakerOptions } from '../options.ts'
import { onLink } from '../peer-address.ts'
import { Speaker } from '../speaker.ts'
import { Cluster, learnedText, meshPeer, routes } from '../testing/cluster.ts'
import { fromLine, isMoment, toLine } from './format.ts'
import { recordedSpeaker } from './recorder.ts'
import { replay } from './replay.ts'

const HERE = ipv4('192.0.2.1')

describe('a recording', () => {
  test('of sessions, routes, lost lines and a peer left out replays to the same octets and the same table', async () => {
    const { lines, learned } = await record()
    const replayed = await replay('memory', lines)
    assert.equal(replayed.difference, undefined)
    assert.ok(replayed.outputs > 20, `${replayed.outputs} outputs`)
    assert.deepEqual(learnedText({ speaker: replayed.speaker, address: HERE, changes: [] }), learned)
  })

  test('of a drain replays too: marked routes, and the end', async () => {
    const cluster = new Cluster()
    const lines: string[] = []
    const speaker = recordedSpeaker(optionsOn(cluster), line => void lines.push(line))
    const a = await cluster.member('192.0.2.2')
    speaker.originate(routes('10.0.1.0/26'))
    cluster.mesh({ speaker, address: HERE, changes: [] }, a)
    await speaker.start()
    cluster.run(10)
    void speaker.drain({ delay: millis(5000), words: 'bye' })
    cluster.run(3)
    assert.deepEqual(a.speaker.learned().get('10.0.1.0/26')?.attributes.communities, [GRACEFUL_SHUTDOWN])
    cluster.run(5)
    await speaker.drained
    await new Promise(resolve => setImmediate(resolve))
    assert.equal((await replay('memory', lines)).difference, undefined)
    assert.ok(lines.some(line => line.includes('"method":"drain"')))
  })

  test('of a peer that only an interface names replays too: who was seen there, and its routes', async () => {
    const cluster = new Cluster()
    const lines: string[] = []
    const on = (address: Ipv6): SpeakerOptions => ({
      ...optionsOn(cluster),
      ...{ listen: { address, port: 179 }, transport: cluster.network.host(address) },
    })
    const near = recordedSpeaker(on(ipv6('fe80::1')), line => void lines.push(line))
    const far = new Speaker({ ...on(ipv6('fe80::2')), routerId: ipv4('192.0.2.2') })
    far.originate(routes('10.0.2.0/26'))
    for (const speaker of [near, far]) {
      speaker.setPeers([{ ...meshPeer(HERE, HERE), address: onLink('eth1') }])
      await speaker.start()
    }
    cluster.run(10)
    await near.stop({ graceful: false })
    await new Promise(resolve => setImmediate(resolve))
    const { difference, speaker } = await replay('memory', lines)
    assert.equal(difference, undefined)
    assert.equal(speaker.status().peers[0]?.unnumbered?.seen, 'fe80::2')
    for (const words of ['"is":"watch"', '"is":"seen"', '"is":"unwatch"']) assert.ok(lines.some(line => line.includes(words)))
    assert.ok(lines.some(line => line.includes('"zone":"eth1"')))
  })

  test('that says something else of what was sent is found out, with its line', async () => {
    const { lines } = await record()
    const at = lines.findIndex(line => line.includes('"is":"send"'))
    const moment = fromLine(lines[at] ?? '')
    assert.ok(isMoment(moment))
    const outputs = moment.outputs.map(output => (output.is === 'send' ? { ...output, bytes: output.bytes.slice(1) } : output))
    const { difference } = await replay('memory', lines.with(at, toLine({ ...moment, outputs })))
    assert.equal(difference?.line, at + 1)
    assert.match(difference.says, /it did send on stream \d+: ffff.* where the recorded one did send/)
  })

  test('with an event that nobody asked for is found out', async () => {
    const { lines } = await record()
    const at = lines.findIndex(line => line.includes('"is":"opened"'))
    const { difference } = await replay('memory', lines.with(at, (lines[at] ?? '').replace('"dial":0', '"dial":77')))
    assert.equal(difference?.says, 'opened: the replayed speaker has not asked for that')
  })

  test('that was cut in the middle of a line names the line', async () => {
    const { lines } = await record()
    const cut = [...lines.slice(0, 5), (lines[5] ?? '').slice(0, 20)]
    await assert.rejects(replay('cut.jsonl', cut), /cut\.jsonl, line 6/)
  })
})

test('an import filter, which cannot be written down, is refused', () => {
  const options = { ...optionsOn(new Cluster()), importFilter: () => ({ is: 'accepted' as const }) }
  assert.throws(() => recordedSpeaker(options, () => undefined), TypeError)
})

function optionsOn(cluster: Cluster): SpeakerOptions {
  return {
    routerId: HERE,
    asn: 64512,
    listen: { address: HERE, port: 179 },
    holdTime: seconds(30),
    connectRetry: millis(2000),
    gracefulRestart: { restartTime: seconds(120), restarting: false, deferral: millis(60_000) },
    importFilter: acceptAll,
    clock: cluster.clock,
    random: seededRandom(3),
    log: silentLog,
    transport: cluster.network.host(HERE),
  }
}

/** Two peers, one of them lost for a while, one of them changing its mind. */
async function record(): Promise<{ readonly lines: readonly string[]; readonly learned: readonly string[] }> {
  const cluster = new Cluster()
  const lines: string[] = []
  const speaker = recordedSpeaker(optionsOn(cluster), line => void lines.push(line))
  const a = await cluster.member('192.0.2.2')
  const b = await cluster.member('192.0.2.3')
  speaker.originate(routes('10.0.1.0/26'))
  a.speaker.originate(routes('10.0.2.0/26', '10.0.9.0/26'))
  b.speaker.originate(routes('10.0.3.0/26'))
  cluster.mesh({ speaker, address: HERE, changes: [] }, a, b)
  await speaker.start()
  cluster.run(10)
  cluster.network.cut(HERE, b.address)
  a.speaker.originate(routes('10.0.2.0/26'))
  cluster.run(40)
  cluster.network.mend(HERE, b.address)
  cluster.network.lose(HERE, a.address, 'both')
  cluster.run(20)
  const learned = learnedText({ speaker, address: HERE, changes: [] })
  speaker.setPeers([meshPeer(a.address, HERE)])
  cluster.run(5)
  const left = learnedText({ speaker, address: HERE, changes: [] })
  assert.ok(left.length < learned.length && left.length > 0)
  await new Promise(resolve => setImmediate(resolve))
  return { lines, learned: left }
}
