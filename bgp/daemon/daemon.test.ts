/** A daemon and its file: what changes with the file, what does not, and what `show` says. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { Cluster, learnedText, type Member, meshPeer, peerOf, recordingLog, routes } from '../testing/cluster.ts'
import { answer, type Question, toQuestion } from './answers.ts'
import { Daemon } from './daemon.ts'
import { obey, toOrder } from './orders.ts'
import { print } from './print.ts'

const US = '192.0.2.1'
const HEAD = `
routerId: ${US}
asn: 64512
listen: {address: ${US}}
holdTime: 30
policies:
  all: {otherwise: accept}
  preferred:
    rules: [{set: {localPref: 300, communities: {add: ["64512:7"]}}, verdict: accept}]
  none:
    rules: [{name: nothing, verdict: reject}]
`

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bgpd-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

interface Stage {
  readonly cluster: Cluster
  readonly daemon: Daemon
  readonly log: ReturnType<typeof recordingLog>
  /** Two internal peers. */
  readonly peers: readonly [Member, Member]
  /** Writes the file anew and has it read. */
  rewrite(text: string): void
}

async function stage(text: string): Promise<Stage> {
  const cluster = new Cluster()
  const log = recordingLog()
  const file = join(folder, 'bgpd.yaml')
  writeFileSync(file, text)
  const transport = cluster.network.host(ipv4(US))
  const daemon = new Daemon(file, { clock: cluster.clock, random: () => 0.5, log, transport })
  await daemon.speaker.start()
  const peers: [Member, Member] = [await cluster.member('192.0.2.2'), await cluster.member('192.0.2.3')]
  for (const [index, peer] of peers.entries()) {
    peer.speaker.originate(routes(`10.${index + 2}.0.0/24`))
    peer.speaker.setPeers([meshPeer(ipv4(US), peer.address)])
  }
  cluster.run(5)
  return {
    cluster,
    daemon,
    log,
    peers,
    rewrite(changed) {
      writeFileSync(file, changed)
      daemon.reload()
      cluster.run(5)
    },
  }
}

const TWO = `${HEAD}
neighbours: [192.0.2.2, {address: 192.0.2.3, name: three}]
originate: [10.1.0.0/24]
`

function flaps({ daemon }: Stage): readonly number[] {
  return daemon.speaker.status().peers.map(peer => peer.flaps)
}

describe('a daemon', () => {
  test('does what its file says', async () => {
    const { daemon, peers } = await stage(TWO)
    assert.deepEqual(
      daemon.speaker.status().peers.map(({ name, state }) => `${name} ${state}`),
      ['192.0.2.2 established', 'three established'],
    )
    assert.deepEqual(learnedText(peers[0]), ['10.1.0.0/24 via 192.0.2.1'])
  })

  test('takes over what changed, and nothing else blinks', async () => {
    const scene = await stage(TWO)
    const { peers, log } = scene
    scene.rewrite(TWO.replace('10.1.0.0/24', '10.1.1.0/24'))
    assert.deepEqual(learnedText(peers[0]), ['10.1.1.0/24 via 192.0.2.1'])
    assert.deepEqual(flaps(scene), [0, 0])
    scene.rewrite(TWO.replace(', {address: 192.0.2.3, name: three}', ''))
    assert.deepEqual(flaps(scene), [0])
    assert.notEqual(peerOf(peers[1], selfOf(scene)).state, 'established')
    assert.deepEqual(learnedText(peers[1]), [])
    assert.deepEqual(
      log.lines.filter(({ message }) => message === 'configuration taken over').map(({ fields }) => fields?.['changed']),
      [['originate'], ['originate', 'neighbours']],
    )
  })

  test('judges anew by other policies without dropping the session, both ways', async () => {
    const scene = await stage(TWO)
    const { daemon, peers } = scene
    scene.rewrite(TWO.replace('[192.0.2.2,', '[{address: 192.0.2.2, import: [none], export: [preferred]},'))
    assert.deepEqual([...daemon.speaker.learned().keys()], ['10.3.0.0/24'])
    const heard = peers[0].speaker.learned().get('10.1.0.0/24')?.attributes
    assert.deepEqual([heard?.localPref, heard?.communities], [300, [64512 * 65536 + 7]])
    assert.deepEqual(daemon.speaker.explain('10.2.0.0/24').paths[0]?.verdict, {
      is: 'refused',
      why: 'rejected by policy none, rule nothing',
    })
    scene.rewrite(TWO)
    assert.deepEqual([...daemon.speaker.learned().keys()].sort(), ['10.2.0.0/24', '10.3.0.0/24'])
    assert.equal(peers[0].speaker.learned().get('10.1.0.0/24')?.attributes.localPref, 100)
    assert.deepEqual(flaps(scene), [0, 0])
  })

  test('keeps to the old file when the new one is wrong, or asks for what cannot change', async () => {
    const scene = await stage(TWO)
    const { daemon, log } = scene
    for (const { text, why } of [
      { text: TWO.replace('originate:', 'originates:'), why: /originates: no such setting here: did you mean originate\?/ },
      { text: TWO.replace('asn: 64512', 'asn: 64513'), why: /asn cannot change while the daemon runs/ },
      { text: '{', why: /bgpd\.yaml:1:/ },
    ]) {
      scene.rewrite(text)
      const last = log.lines.at(-1)
      assert.equal(last?.message, 'configuration refused, the old one stays in force')
      assert.match(String(last?.fields?.['why']), why)
    }
    assert.deepEqual(daemon.speaker.status().originated, ['10.1.0.0/24'])
    assert.deepEqual(flaps(scene), [0, 0])
  })

  test('lets peers come unnamed from a range, and sends them away with it', async () => {
    const scene = await stage(`${HEAD}
dynamicNeighbours: [{prefix: 192.0.2.0/24, asn: 64512, routeReflectorClient: true}]
`)
    const { daemon, peers, cluster } = scene
    cluster.run(10)
    assert.deepEqual(
      daemon.speaker
        .status()
        .peers.map(({ address, state }) => `${address} ${state}`)
        .sort(),
      ['192.0.2.2 established', '192.0.2.3 established'],
    )
    assert.deepEqual(learnedText(peers[0]), ['10.3.0.0/24 via 192.0.2.3'], 'clients hear each other')
    scene.rewrite(HEAD)
    assert.deepEqual(daemon.speaker.status().peers, [])
  })
})

describe('show', () => {
  const CASES: readonly { readonly question: Question; readonly says: readonly RegExp[] }[] = [
    { question: { ask: 'peers' }, says: [/^PEER +NAME +AS/, /192\.0\.2\.3 +three +64512 +established .* 1 +1 +1 +0 +-/] },
    {
      question: { ask: 'routes' },
      says: [/10\.1\.0\.0\/24 +local/, /10\.2\.0\.0\/24 +192\.0\.2\.2 +192\.0\.2\.2 +100 +- +- +igp +-/],
    },
    { question: { ask: 'path', about: '10.2.0.0/24' }, says: [/10\.2\.0\.0\/24 +192\.0\.2\.2/] },
    { question: { ask: 'why', about: '10.2.0.0/24' }, says: [/192\.0\.2\.2 +192\.0\.2\.2 +192\.0\.2\.2 +best/] },
    { question: { ask: 'adj-in', about: '192.0.2.3' }, says: [/10\.3\.0\.0\/24 +192\.0\.2\.3/] },
    { question: { ask: 'adj-out', about: '192.0.2.3' }, says: [/10\.1\.0\.0\/24 +us +192\.0\.2\.1 +100/] },
    { question: { ask: 'peer', about: '192.0.2.3' }, says: [/messages\.in\.update +2/, /session\.routeRefresh +true/] },
    { question: { ask: 'peer', about: '192.0.2.9' }, says: [/there is no peer 192\.0\.2\.9/] },
    { question: { ask: 'adj-out', about: '192.0.2.9' }, says: [/there is no peer 192\.0\.2\.9/] },
    { question: { ask: 'why', about: '10.2.0.1/24' }, says: [/host bits set/] },
  ]
  for (const { question, says } of CASES)
    test('about' in question ? `${question.ask} ${question.about}` : question.ask, async () => {
      const { daemon } = await stage(TWO)
      const said = answer(question, daemon.speaker)
      assert.deepEqual(JSON.parse(JSON.stringify(said)), said, 'plain JSON')
      for (const pattern of says) assert.match(print(said), pattern)
    })

  test('with multipath, every way that packets may take, and why says which lost and is used all the same', async () => {
    const { daemon, peers, cluster } = await stage(TWO.replace('policies:', 'decision: {multipath: 4}\npolicies:'))
    for (const { speaker } of peers) speaker.originate(routes('10.4.0.0/24'))
    cluster.run(5)
    const routesSaid = print(answer({ ask: 'routes' }, daemon.speaker))
    assert.match(routesSaid, /10\.4\.0\.0\/24 +192\.0\.2\.2 .*\n10\.4\.0\.0\/24 +192\.0\.2\.3 /)
    const why = print(answer({ ask: 'why', about: '10.4.0.0/24' }, daemon.speaker))
    assert.match(why, /192\.0\.2\.2 .*best\n192\.0\.2\.3 .*lost by router-id, used along with the best/)
  })

  test('what cannot be asked says what can', () => {
    assert.match(String(toQuestion('pears', undefined)), /nobody knows "pears"; there are peers, peer, routes/)
    assert.match(String(toQuestion('why', undefined)), /wants a prefix/)
    assert.match(String(toQuestion('adj-in', undefined)), /wants the address of a peer/)
    assert.deepEqual(toQuestion('why', '10.0.0.0/8'), { ask: 'why', about: '10.0.0.0/8' })
  })
})

describe('clear', () => {
  test('does in, out, both or hard with one peer or all, and says so', async () => {
    const { daemon } = await stage(TWO)
    const done = (whom: string, how: string) => {
      const order = toOrder(whom, how, '')
      assert.ok(typeof order !== 'string', String(order))
      return print(obey(order, daemon.speaker))
    }
    assert.match(done('192.0.2.2', 'in'), /^PEER +DONE\n192\.0\.2\.2 +asked for everything again$/)
    assert.match(done('all', 'in,out'), /192\.0\.2\.2 +told everything again\n192\.0\.2\.3 +asked for everything again/)
    assert.match(done('all', 'hard'), /192\.0\.2\.3 +session begun anew/)
    assert.match(String(toOrder('all', 'gently', '')), /"gently" is neither in, out, both of them nor hard/)
  })
})

/** The daemon as the peers know it. */
function selfOf({ daemon }: Stage): Member {
  return { speaker: daemon.speaker, address: ipv4(US), changes: [] }
}
