/** With tunl0: strangers, MTU in both tunnelling modes, a mode that changed while an agent was down, and no trace in the end. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { seededRandom } from '@network/base/testing/seeded-random.ts'
import { millis } from '@network/base/time/units.ts'
import type { IpipMode } from '@network/model/resources/ip-pool.ts'
import type { AgentStatus } from '@network/model/status.ts'
import { agentStatus, everyAgent } from '../lab/agent-status.ts'
import { createLab, type Lab } from '../lab/lab.ts'
import { topology } from '../lab/topology.ts'
import { setUnderlayMtu } from '../lab/underlay.ts'
import { until } from '../lab/until.ts'
import { must } from './frozen.ts'
import { assertLargest } from './largest.ts'
import { kernelState, layBait, meddle } from './meddlings.ts'
import { difference, type Traces, tracesOf, uninstallOn } from './traces.ts'

/** Exit status of calictl where the change is stored and an agent did not answer. */
const SOME_SILENT = 7

let lab: Lab
let bare: Traces
before(async () => {
  lab = await createLab(topology(2, 2, 1), { agents: false, rpFilter: 1 })
  bare = await tracesOf(lab, 'b1')
  await Promise.all(NODES.map(name => lab.agents.start(name)))
  const made = await lab.calictl(['ippool', 'create', 'default', '--cidr', '10.244.0.0/16', '--ipip', 'CrossSubnet'])
  assert.equal(made.exitCode, 0, made.stderr)
  await Promise.all(NODES.map(node => lab.cniAdd(node, `${node}-p1`)))
  await every('the mesh of three', ({ converged, bgp, routes }) => {
    const up = bgp.peers.filter(({ state }) => state === 'established')
    return converged && up.length === 2 && routes.filter(({ kind }) => kind === 'remote').length >= 2
  })
})
after(() => lab[Symbol.asyncDispose]())

/** Two in a rack and one across: each agent costs seconds on an emulated processor. */
const NODES = ['a1', 'a2', 'b1']
const SEED = 7
const MEDDLINGS = 10
/** Within five seconds by rule, which `meddling-vxlan.test.ts` holds natively; an emulated processor is slower, and how much nobody knows. */
const REPAIRED = millis(20_000)

for (const [mtu, mode] of [
  [1500, 'CrossSubnet'],
  [1400, 'CrossSubnet'],
  [9000, 'Always'],
] as const)
  test(`P5, M85: ${mode} on an underlay of ${mtu}: tunl0 and new pods have ${mtu - 20}, the largest packet goes, one octet more is refused`, async () => {
    await setMode(mode)
    const [here, near, far] = mtu === 1500 ? ['a1-p1', 'a2-p1', 'b1-p1'] : await podsOn(mtu)
    // In the rack and without a tunnel there is room for more, but a pod has one MTU for all its ways.
    await assertLargest(lab, { from: here, to: near, fits: mtu - 20 })
    await assertLargest(lab, { from: here, to: far, fits: mtu - 20 })
  })

test('P5: a pod made on the wider underlay is refused aloud across the narrower tunnel, and told of', async () => {
  await setUnderlayMtu(lab, 1500)
  await tunnelsHave(1480)
  await assertLargest(lab, { from: 'a1-u9000', to: 'b1-p1', fits: 1480 })
  assert.match((await agentStatus('a1')).problems.join('\n'), /pod default\/a1-u9000 has MTU 8980, and 1480 octets fit/)
})

test(`P7: ${MEDDLINGS} meddlings, seed ${SEED}, with tunl0 among the victims: each is repaired, bait untouched`, async () => {
  await layBait(lab, 'a2')
  const right = kernelState('a2')
  const random = seededRandom(SEED)
  const drawn = Array.from({ length: 6 * MEDDLINGS }, () => meddle('a2', random).shell)
  const against = drawn.filter(act => act.includes('tunl0'))
  const others = drawn.filter(act => !act.includes('tunl0'))
  const acts = ['ip link set tunl0 down', ...against.slice(0, 2), ...others.slice(0, MEDDLINGS - 3)]
  assert.equal(acts.length, MEDDLINGS, drawn.join('\n'))
  for (const shell of acts) {
    await must(lab, 'a2', 'sh', '-c', shell)
    await until(() => kernelState('a2').join('\n') === right.join('\n'), {
      clock: lab.clock,
      what: shell,
      within: REPAIRED,
      instead: () =>
        kernelState('a2')
          .filter(row => !right.includes(row))
          .join('\n'),
    })
  }
})

test('P8: a mode that changed while the agent was down holds after its start', async () => {
  await setMode('CrossSubnet')
  const toNear = () => kernelState('a1').find(row => row.includes(`via ${lab.node('a2').address} `))
  assert.match(toNear() ?? '', / dev eth0 proto 80 /)
  await lab.agents.kill('a1', 'SIGKILL')
  const { exitCode, stderr } = await lab.calictl(['ippool', 'set', 'default', '--ipip', 'Always', '--no-wait'])
  assert.equal(exitCode, SOME_SILENT, stderr)
  await every('Always on the others', inMode('Always'), ['a2', 'b1'])
  assert.match(toNear() ?? '', / dev eth0 proto 80 /, 'P0')
  await lab.agents.start('a1')
  await until(() => / dev tunl0 onlink proto 80 /.test(toNear() ?? ''), {
    clock: lab.clock,
    what: 'the tunnel to a2',
    within: REPAIRED,
    instead: () => toNear() ?? 'no route',
  })
})

test('P9: uninstall leaves tunl0 idle with its former MTU, settings as they were, and nothing else', async () => {
  const installed = difference(bare, await tracesOf(lab, 'b1')).join('\n')
  for (const trace of [/\+ links: .*tunl0.*UP.* mtu 1480/, /\+ addresses: .*tunl0/, /\+ settings: .*eth0\/rp_filter=2/])
    assert.match(installed, trace, 'P0')
  await lab.agents.kill('b1')
  const { stdout, stderr, exitCode } = await uninstallOn(lab, 'b1')
  assert.equal(exitCode, 0, stderr)
  assert.match(stdout, /removed: tunl0 is down with MTU \d+ again/)
  assert.deepEqual(difference(bare, await tracesOf(lab, 'b1')), [])
})

/** New pods, made once their agents have followed the underlay. */
async function podsOn(mtu: number): Promise<readonly [string, string, string]> {
  await setUnderlayMtu(lab, mtu)
  await tunnelsHave(mtu - 20)
  const named = (node: string) => `${node}-u${mtu}`
  await Promise.all(NODES.map(node => lab.cniAdd(node, named(node))))
  assert.match(await must(lab, named('a1'), 'ip', 'link', 'show', 'eth0'), new RegExp(`mtu ${mtu - 20} `))
  return [named('a1'), named('a2'), named('b1')]
}

function tunnelsHave(mtu: number): Promise<unknown> {
  return every(`MTU ${mtu} on every tunl0`, ({ ipip }) => ipip.device?.mtu === mtu)
}

async function setMode(mode: IpipMode): Promise<void> {
  const { exitCode, stderr } = await lab.calictl(['ippool', 'set', 'default', '--ipip', mode])
  // An agent of a busy machine may be late to say so; that all act on it is waited for below.
  assert.ok([0, SOME_SILENT].includes(exitCode), stderr)
  await every(`mode ${mode} everywhere`, inMode(mode))
}

function every(what: string, holds: (status: AgentStatus) => boolean, nodes: readonly string[] = NODES): Promise<unknown> {
  return everyAgent(lab, what, holds, { nodes })
}

function inMode(mode: IpipMode): (status: AgentStatus) => boolean {
  return status => status.converged && status.pools.every(pool => pool.ipipMode === mode)
}
