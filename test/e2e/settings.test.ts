/** AgentConfiguration reaches agents while they run: for all, and for one that differs. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { millis } from '@network/base/time/units.ts'
import { agentStatus, everyAgent } from '../lab/agent-status.ts'
import { execIn } from '../lab/command.ts'
import { createLab, type Lab } from '../lab/lab.ts'
import { ping } from '../lab/ping.ts'
import { topology } from '../lab/topology.ts'
import { until } from '../lab/until.ts'
import { apply } from './resources.ts'

let lab: Lab
before(async () => {
  lab = await createLab(topology(1, 2, 0), { pool: { cidr: '10.244.0.0/16', ipip: 'Never' } })
})
after(() => lab[Symbol.asyncDispose]())

test('a node that is to log errors alone is silent about a new pod, the other is not; settings without effect are told', async () => {
  await lab.cniAdd('a1', 'a1-p1')
  assert.match(lab.agents.log('a1'), /"pod":"a1-p1".*pod attached/, 'P0')
  await apply(`
apiVersion: projectcalico.org/v3
kind: FelixConfiguration
metadata: { name: default }
spec: { deviceRouteProtocol: 99 }
---
apiVersion: projectcalico.org/v3
kind: AgentConfiguration
metadata: { name: node.a1 }
spec: { logSeverityScreen: Error }
`)
  await everyAgent(lab, 'the settings to arrive', ({ problems }) =>
    problems.some(problem => problem.includes('deviceRouteProtocol 99')),
  )
  assert.match(
    (await agentStatus('a1')).problems.join(),
    /AgentConfiguration: deviceRouteProtocol 99 does nothing yet; this agent uses 80/,
  )
  await lab.cniAdd('a1', 'a1-p2')
  await lab.cniAdd('a2', 'a2-p1')
  assert.doesNotMatch(lab.agents.log('a1'), /a1-p2/)
  assert.match(lab.agents.log('a2'), /"pod":"a2-p1".*pod attached/)
  const pids = lab.nodes.map(({ name }) => lab.agents.pid(name))
  await apply(`
apiVersion: projectcalico.org/v3
kind: AgentConfiguration
metadata: { name: node.a1 }
spec: { logSeverityScreen: Debug }
---
apiVersion: projectcalico.org/v3
kind: AgentConfiguration
metadata: { name: default }
spec: {}
`)
  await everyAgent(lab, 'the settings to be back', ({ problems }) => problems.length === 0)
  await lab.cniAdd('a1', 'a1-p3')
  assert.match(lab.agents.log('a1'), /"pod":"a1-p3".*pod attached/)
  assert.deepEqual(
    lab.nodes.map(({ name }) => lab.agents.pid(name)),
    pids,
    'nobody was restarted',
  )
})

test('VNI, port and MTU of VXLAN follow AgentConfiguration while agents run, and packets pass with them', {
  timeout: 180_000,
}, async () => {
  await lab.mustCalictl(['ippool', 'set', '--vxlan', 'Always'])
  await lab.cniAdd('a1', 'a1-v')
  const to = await lab.cniAdd('a2', 'a2-v')
  const passes = async (what: string) =>
    until(async () => (await ping(lab, 'a1-v', to.address, 1)).received === 1, {
      clock: lab.clock,
      what,
      within: millis(60_000),
      instead: async () => (await agentStatus('a1')).problems.join(),
    })
  const device = async (node: string) => (await execIn(node, ['ip', '-d', 'link', 'show', 'vxlan.cali'])).stdout
  await passes('VXLAN as it is by default')
  assert.match(await device('a1'), /mtu 1450 .*vxlan id 4096 .*dstport 4789 /s, 'P0')
  const pids = lab.nodes.map(({ name }) => lab.agents.pid(name))
  await apply(`
apiVersion: projectcalico.org/v3
kind: AgentConfiguration
metadata: { name: default }
spec: { vxlanVNI: 5000, vxlanPort: 8472, vxlanMTU: 1300 }
`)
  for (const { name } of lab.nodes)
    await until(async () => /mtu 1300 .*vxlan id 5000 .*dstport 8472 /s.test(await device(name)), {
      clock: lab.clock,
      what: `the device of ${name}`,
      within: millis(60_000),
      instead: () => device(name),
    })
  await passes('VXLAN as it was set')
  assert.deepEqual(
    lab.nodes.map(({ name }) => lab.agents.pid(name)),
    pids,
    'nobody was restarted',
  )
})
