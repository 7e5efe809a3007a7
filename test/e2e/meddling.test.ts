/** Strangers meddle with our objects, a hundred times by a seed: all is put right within a second, and nothing else is touched. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { seededRandom } from '@network/base/testing/seeded-random.ts'
import { millis } from '@network/base/time/units.ts'
import { agentStatus, everyAgent, meshIsUp } from '../lab/agent-status.ts'
import { createLab, type Lab } from '../lab/lab.ts'
import { topology } from '../lab/topology.ts'
import { until } from '../lab/until.ts'
import { must, whileFrozen } from './frozen.ts'
import { assertStateIs, kernelState, layBait, meddle } from './meddlings.ts'

let lab: Lab
let right: ReadonlyMap<string, readonly string[]>
before(async () => {
  lab = await createLab(topology(2, 2, 2), { pool: { cidr: '10.244.0.0/16', ipip: 'Never' } })
  await everyAgent(lab, 'the whole mesh', meshIsUp(lab))
  for (const { name } of lab.nodes) await layBait(lab, name)
  right = new Map(lab.nodes.map(({ name }) => [name, kernelState(name)]))
})
after(() => lab[Symbol.asyncDispose]())

const SEED = 20260
const MEDDLINGS = 100
/** What is repaired is back within a second. */
const REPAIRED = millis(1000)
const OURS = ' proto 80 metric 1024 '

test(`P7: ${MEDDLINGS} meddlings, seed ${SEED}: each is repaired within a second, and the bait is as it was laid`, async () => {
  const random = seededRandom(SEED)
  let broke = 0
  for (let at = 0; at < MEDDLINGS; at++) {
    const node = lab.nodes[Math.floor(random() * lab.nodes.length)]?.name ?? 'a1'
    const { shell } = meddle(node, random)
    const { repairs } = await agentStatus(node)
    await must(lab, node, 'sh', '-c', shell)
    await backToRight(node, `${at}: ${node}# ${shell}`)
    if ((await agentStatus(node)).repairs.count > repairs.count) broke++
  }
  assert.ok(broke >= MEDDLINGS * 0.8, `only ${broke} meddlings broke anything`)
})

test('P0: without its agent a node stays meddled with; the agent comes back and mends it', async () => {
  const routes = right.get('a1')?.filter(row => row.includes(OURS) && !row.includes(' table ')) ?? []
  const broken = await whileFrozen(lab, 'a1', async () => {
    const shell = [...routes.map(row => `ip route del ${wordsOf(row)}`), 'echo 0 >/proc/sys/net/ipv4/ip_forward']
    await must(lab, 'a1', 'sh', '-ec', shell.join('\n'))
    return kernelState('a1')
  })
  assert.ok(routes.length >= 6 && routes.every(row => !broken.includes(row)))
  await backToRight('a1', 'all routes and forwarding gone')
})

test('P7: news that the kernel had to drop: all is read again, and what was broken meanwhile is mended', async () => {
  const flood = Array.from(
    { length: 40_000 },
    (_, n) => `route add blackhole 11.${n >> 16}.${(n >> 8) & 255}.${n & 255} table 777`,
  )
  const said = () => lab.agents.log('b1').match(/news from the kernel were lost/g)?.length ?? 0
  const before = said()
  const pod = lab.pod('b1-p1').address
  await whileFrozen(lab, 'b1', async () => {
    const { exitCode, stderr } = await lab.exec('b1', ['ip', '-batch', '-'], { input: `${flood.join('\n')}\n` })
    assert.equal(exitCode, 0, stderr)
    // The buffer is full by now: of this nothing is heard.
    await must(lab, 'b1', 'ip', 'route', 'del', pod, 'proto', '80', 'metric', '1024')
    await must(lab, 'b1', 'ip', 'route', 'flush', 'table', '777')
  })
  await backToRight('b1', 'a route deleted behind an overrun')
  assert.equal(said() > before, true, 'the monitor was overrun')
})

test('P7: the NIC goes down and comes up: once its owner has put the default route back, ours return by themselves', async () => {
  const viaNic = (right.get('a2') ?? []).filter(row => row.startsWith('route ') && row.includes('dev eth0'))
  // The kernel makes its own route, the agent ours; all others are their makers' to put back.
  const theirs = viaNic.filter(row => !row.includes(' proto 2 ') && !row.includes(OURS))
  await must(lab, 'a2', 'ip', 'link', 'set', 'eth0', 'down')
  const broken = kernelState('a2')
  assert.ok(viaNic.length > theirs.length + 1 && viaNic.every(row => !broken.includes(row)), 'P0')
  const shell = [
    'ip link set eth0 up',
    ...theirs.map(row => `ip route add ${wordsOf(row)}`),
    ...(right.get('a2') ?? []).flatMap(row =>
      row.startsWith('neighbour ') ? [`ip neighbour replace ${neighbourWords(row)}`] : [],
    ),
  ]
  await must(lab, 'a2', 'sh', '-ec', shell.join('\n'))
  await backToRight('a2', 'eth0 down and up')
})

test('the way to a far node follows the default route', async () => {
  const router = 'rack-a'
  await must(lab, 'router', 'ip', 'address', 'add', '172.16.20.2/24', 'dev', router)
  const { gateway } = lab.node('a1')
  await must(lab, 'a1', 'ip', 'route', 'replace', 'default', 'via', '172.16.20.2')
  const far = () => kernelState('a1').filter(row => /via 172\.16\.20\.\d+ dev eth0 proto 80 metric 1024/.test(row))
  await until(() => far().filter(row => row.includes('via 172.16.20.2 ')).length === 2, {
    clock: lab.clock,
    what: 'both far blocks to go by the new gateway',
    within: REPAIRED,
    instead: () => far().join('\n'),
  })
  await must(lab, 'a1', 'ip', 'route', 'replace', 'default', 'via', gateway)
  await backToRight('a1', 'the old default route again')
})

/** A row of `kernelState` as words for `ip route`. */
function wordsOf(row: string): string {
  return row.replace(/^route /, '').replace(/ scope \d+$/, '')
}

function neighbourWords(row: string): string {
  return row.replace(/^neighbour (\S+) dev (\S+) (\S+)$/, '$1 lladdr $3 dev $2 nud permanent')
}

async function backToRight(node: string, what: string): Promise<void> {
  await assertStateIs(lab, node, right.get(node) ?? [], { what, within: REPAIRED })
  await until(async () => (await agentStatus(node)).converged, { clock: lab.clock, what: `${node} to say so`, within: REPAIRED })
}
