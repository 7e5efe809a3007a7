/** Who hears which source: natOutgoing, and another's masquerading that must not touch pods. On one rack, without ipip. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { everyAgent, meshIsUp } from '../lab/agent-status.ts'
import { capture } from '../lab/capture.ts'
import { PROTOCOL } from '../lab/frame.ts'
import { createLab, type Lab } from '../lab/lab.ts'
import { topology } from '../lab/topology.ts'
import { until } from '../lab/until.ts'
import { REPAIRED } from './firewall.ts'
import { must, whileFrozen } from './frozen.ts'

/** As Docker writes it for its bridge, over the range of the pods. */
const DOCKER = ['POSTROUTING', '-s', '10.244.0.0/16', '!', '-o', 'docker0', '-j', 'MASQUERADE']
const OUTSIDE = '198.51.100.1'

let lab: Lab
before(async () => {
  lab = await createLab(topology(1, 2, 2), {
    pool: { cidr: '10.244.0.0/16', ipip: 'Never' },
    prepare: ({ name }) => (name === 'a1' ? `iptables -t nat -A ${DOCKER.join(' ')}` : ''),
  })
  await must(lab, 'router', 'ip', 'address', 'add', `${OUTSIDE}/32`, 'dev', 'lo')
  await everyAgent(lab, 'the whole mesh', meshIsUp(lab))
})
after(() => lab[Symbol.asyncDispose]())

test("M23: Docker's masquerading does not touch pods that speak to pods or to nodes; P0: without our chain it does", async () => {
  const { address } = lab.pod('a1-p1')
  const hearers = [
    ['a2-p1', 'a2-p1:eth0'],
    ['a1-p2', 'a1-p2:eth0'],
    ['a2', 'a2:eth0'],
  ] as const
  for (const [hearer, link] of hearers) assert.deepEqual(await sourcesOf('a1-p1', addressOf(hearer), link), [address], hearer)
  await whileFrozen(lab, 'a1', async () => {
    await must(lab, 'a1', 'nft', 'delete', 'chain', 'inet', 'cali', 'postrouting')
    assert.deepEqual(await sourcesOf('a1-p1', addressOf('a2-p1'), 'a2-p1:eth0'), [lab.node('a1').address], 'P0')
  })
  await until(async () => /snat/.test((await lab.exec('a1', ['nft', 'list', 'table', 'inet', 'cali'])).stdout), {
    clock: lab.clock,
    what: 'the chain to be back',
    ...REPAIRED,
  })
  assert.deepEqual(await sourcesOf('a1-p1', addressOf('a2-p1'), 'a2-p1:eth0'), [address])
})

test('natOutgoing: outside of all pools the node speaks for its pods, and answers find back; P0: without it the pod is heard itself', async () => {
  // The other node: nobody else masquerades there.
  const pod = lab.pod('a2-p1')
  assert.deepEqual(await sourcesOf('a2-p1', OUTSIDE, 'a2:eth0'), [pod.address], 'P0')
  assert.equal(await translates('a2'), false, 'where nobody translates, no chain of ours has the kernel follow connections')
  await setNat(true)
  assert.deepEqual(await sourcesOf('a2-p1', OUTSIDE, 'a2:eth0'), [lab.node('a2').address])
  const { stdout } = await lab.exec('a2-p1', ['ping', '-n', '-c', '3', '-i', '0.2', '-W', '1', OUTSIDE])
  assert.match(stdout, / 3 received/)
})

test('natOutgoing never translates what goes to a pod, to a node, or from a pod of another pool', async () => {
  const { address } = lab.pod('a2-p1')
  for (const [hearer, link] of [
    ['a1-p1', 'a1-p1:eth0'],
    ['a2-p2', 'a2-p2:eth0'],
    ['a1', 'a1:eth0'],
  ] as const)
    assert.deepEqual(await sourcesOf('a2-p1', addressOf(hearer), link), [address], hearer)
  await setNat(false)
  assert.deepEqual(await sourcesOf('a2-p1', OUTSIDE, 'a2:eth0'), [address])
  assert.deepEqual([await translates('a1'), await translates('a2')], [true, false], 'kept where somebody else does')
})

test('an address that a pod gets has no connections of a pod before it, whoever freed it; P0: those of pods that live stay, and of others', async () => {
  const [mine, live, alien] = [lab.pod('a1-p1').address, lab.pod('a2-p1').address, '203.0.113.7']
  const taken = new Set(lab.pods.map(({ address }) => address))
  const first = Number(mine.split('.').at(-1)) & ~63
  const block = Array.from({ length: 64 }, (_, at) => mine.replace(/\d+$/, `${first + at}`))
  const free = block.filter(address => !taken.has(address)).slice(1, 20)
  for (const [at, address] of [...free, mine, live, alien].entries()) {
    // As a client of a service would have left it: the pod is only the translated end.
    const tuple = ['-p', 'udp', '-s', '192.0.2.1', '-d', '192.0.2.53', '--sport', String(5000 + at), '--dport', '53']
    const reply = ['-r', address, '-q', '192.0.2.1', '--reply-port-src', '53', '--reply-port-dst', String(5000 + at)]
    await must(lab, 'a1', 'conntrack', '-I', ...tuple, ...reply, '-t', '600')
  }
  const left = async () => {
    const tracked = await must(lab, 'a1', 'conntrack', '-L', '-p', 'udp')
    return [...free, mine, live, alien].filter(each => new RegExp(`src=${each.replaceAll('.', '\\.')} `).test(tracked))
  }
  assert.deepEqual(await left(), [...free, mine, live, alien], 'P0')
  // The next life knows nothing of who had which address.
  await lab.agents.kill('a1', 'SIGKILL')
  await lab.agents.start('a1')
  await lab.cniAdd('a1', 'late')
  assert.deepEqual(await left(), [mine, live, alien])
  await lab.cniDel('a1', 'late')
})

test('their rules are as they were', async () => {
  assert.deepEqual((await must(lab, 'a1', 'iptables', '-t', 'nat', '-S', 'POSTROUTING')).trim().split('\n'), [
    '-P POSTROUTING ACCEPT',
    `-A ${DOCKER.join(' ')}`,
  ])
})

function addressOf(name: string): string {
  return lab.nodes.find(node => node.name === name)?.address ?? lab.pod(name).address
}

/** The sources of echo requests to an address as they pass a link, each once. */
async function sourcesOf(from: string, to: string, link: string): Promise<string[]> {
  await using there = await capture(lab, link, {
    filter: ({ ip }) => ip?.destination === to && ip.protocol === PROTOCOL.icmp,
  })
  await lab.exec(from, ['ping', '-n', '-c', '2', '-i', '0.2', '-W', '1', to])
  const frames = await there.stop()
  return [...new Set(frames.flatMap(({ ip }) => (ip === undefined ? [] : [ip.source])))]
}

async function translates(node: string): Promise<boolean> {
  return /chain postrouting/.test(await must(lab, node, 'nft', 'list', 'table', 'inet', 'cali'))
}

async function setNat(natOutgoing: boolean): Promise<void> {
  await must(lab, 'router', 'calictl', 'ippool', 'set', natOutgoing ? '--nat-outgoing' : '--no-nat-outgoing')
  await until(
    async () => /elements/.test(await must(lab, 'a2', 'nft', 'list', 'set', 'inet', 'cali', 'nat-pools')) === natOutgoing,
    {
      clock: lab.clock,
      what: `natOutgoing ${natOutgoing} to arrive`,
      ...REPAIRED,
    },
  )
}
