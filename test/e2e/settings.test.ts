/** AgentConfiguration reaches agents while they run: for all, and for one that differs. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { agentStatus, everyAgent } from '../lab/agent-status.ts'
import { createLab, type Lab } from '../lab/lab.ts'
import { topology } from '../lab/topology.ts'
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
spec: { vxlanPort: 8472 }
---
apiVersion: projectcalico.org/v3
kind: AgentConfiguration
metadata: { name: node.a1 }
spec: { logSeverityScreen: Error }
`)
  await everyAgent(lab, 'the settings to arrive', ({ problems }) => problems.some(problem => problem.includes('vxlanPort 8472')))
  assert.match(
    (await agentStatus('a1')).problems.join(),
    /AgentConfiguration: vxlanPort 8472 does nothing yet; this agent uses 4789/,
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
