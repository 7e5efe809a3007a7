/** Strangers meddle with our VXLAN, by a seed, the agent killed in the middle of some of it: the wanted state is back, the bait untouched. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { seededRandom } from '@network/base/testing/seeded-random.ts'
import { millis } from '@network/base/time/units.ts'
import { agentStatus, everyAgent, meshIsUp } from '../lab/agent-status.ts'
import { createLab, type Lab } from '../lab/lab.ts'
import { ping } from '../lab/ping.ts'
import { topology } from '../lab/topology.ts'
import { until } from '../lab/until.ts'
import { must } from './frozen.ts'
import { AGAINST_FIREWALL, assertStateIs, firewallWords, kernelState, layBait, meddle } from './meddlings.ts'

let lab: Lab
let right: ReadonlyMap<string, readonly string[]>
const rules = new Map<string, string>()
before(async () => {
  lab = await createLab(topology(2, 2, 1), { pool: { cidr: '10.244.0.0/16', ipip: 'Never', vxlan: 'Always' } })
  await everyAgent(lab, 'the whole mesh', meshIsUp(lab))
  const before = new Map(lab.nodes.map(({ name }) => [name, kernelState(name)]))
  for (const { name } of lab.nodes) await layBait(lab, name)
  right = new Map(lab.nodes.map(({ name }) => [name, kernelState(name)]))
  for (const { name } of lab.nodes) rules.set(name, await firewallWords(lab, name))
  for (const [name, rows] of right) {
    const laid = rows.filter(row => before.get(name)?.includes(row) !== true && !row.startsWith('net/'))
    assert.ok(laid.length >= 50, `${name}: ${laid.length} foreign objects`)
  }
})
after(() => lab[Symbol.asyncDispose]())

const SEED = 4096
const MEDDLINGS = 100
const KILLED_EVERY = 20
const BACK = millis(5000)

test(`P7: ${MEDDLINGS} meddlings, seed ${SEED}, every ${KILLED_EVERY}th with the agent killed: each is undone, and 50 foreign objects a node are as they were laid`, async () => {
  const random = seededRandom(SEED)
  let broke = 0
  let againstFirewall = 0
  for (let at = 0; at < MEDDLINGS; at++) {
    const node = lab.nodes[Math.floor(random() * lab.nodes.length)]?.name ?? 'a1'
    const { shell } = meddle(node, random, AGAINST_FIREWALL)
    if (shell.includes('nft ')) againstFirewall++
    const kill = at % KILLED_EVERY === KILLED_EVERY - 1
    const { repairs } = await agentStatus(node)
    if (kill) {
      // While it is at work on the first, and dead for the second.
      await must(lab, node, 'sh', '-c', meddle(node, random, AGAINST_FIREWALL).shell)
      await lab.agents.kill(node, 'SIGKILL')
    }
    await must(lab, node, 'sh', '-c', shell)
    if (kill) await lab.agents.start(node)
    if (kill) await everyAgent(lab, `${node} to have settled`, ({ bgp }) => bgp.settled, { nodes: [node] })
    await backToRight(node, `${at}: ${node}# ${shell}`)
    if (kill || (await agentStatus(node)).repairs.count > repairs.count) broke++
  }
  assert.ok(againstFirewall >= 3, `${againstFirewall} of them against nftables`)
  assert.ok(broke >= MEDDLINGS * 0.7, `only ${broke} meddlings broke anything`)
})

test('P7: the NIC is renamed, under its new name all is as wanted and pods are reached; then back', async () => {
  const far = lab.pod('b1-p1').address
  await must(lab, 'a1', 'ip', 'link', 'set', 'eth0', 'name', 'nic9')
  await everyAgent(
    lab,
    'a1 to be converged',
    ({ converged, problems }) => converged && problems.every(each => !each.includes('eth0')),
    { nodes: ['a1'], within: BACK },
  )
  assert.equal((await ping(lab, 'a1-p1', far)).received, 3)
  await must(lab, 'a1', 'ip', 'link', 'set', 'nic9', 'name', 'eth0')
  await backToRight('a1', 'eth0 by its own name again')
})

test('P7: the NIC goes down and comes up; its owner puts the default route back, we the rest', async () => {
  const rows = right.get('a2') ?? []
  const theirs = rows.filter(row => / dev eth0/.test(row) && /^(route|neighbour) /.test(row) && !/ proto (2|80) /.test(row))
  const others = rows.filter(
    row => row.startsWith('route ') && row.includes('dev eth0 proto 80') && !/ metric 1024 scope/.test(row),
  )
  const shell = ['ip link set eth0 down', 'ip link set eth0 up', ...[...theirs, ...others].map(wordsOf)]
  await must(lab, 'a2', 'sh', '-c', shell.join('\n'))
  await backToRight('a2', 'eth0 down and up')
  assert.equal((await ping(lab, 'a2-p1', lab.pod('b1-p1').address)).received, 3)
})

/** A row of `kernelState` as a command of `ip` that makes it. */
function wordsOf(row: string): string {
  if (row.startsWith('neighbour '))
    return row.replace(/^neighbour (\S+) dev (\S+) (\S+)$/, 'ip neigh replace $1 lladdr $3 dev $2 nud permanent')
  return `ip route replace ${row.replace(/^route /, '').replace(/ scope \d+$/, '')}`
}

async function backToRight(node: string, what: string): Promise<void> {
  await assertStateIs(lab, node, right.get(node) ?? [], { what, within: BACK })
  await until(async () => (await firewallWords(lab, node)) === rules.get(node), {
    clock: lab.clock,
    what: `${what}: nftables`,
    within: BACK,
  })
  await until(async () => (await agentStatus(node)).converged, { clock: lab.clock, what: `${node} to say so`, within: BACK })
}
