/** In VXLAN: peers that left and a mode that changed while an agent was down are cleaned at its start, and nothing else is. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { millis } from '@network/base/time/units.ts'
import { agentStatus, everyAgent, meshIsUp } from '../lab/agent-status.ts'
import { createLab, type Lab } from '../lab/lab.ts'
import { ping } from '../lab/ping.ts'
import { topology } from '../lab/topology.ts'
import { until } from '../lab/until.ts'
import { kernelState, layBait } from './meddlings.ts'
import { setMode } from './mode-changes.ts'

const OURS = ' proto 80 metric 1024 '
const CLEANED = millis(5000)

let lab: Lab
before(async () => {
  lab = await createLab(topology(2, 2, 1), { pool: { cidr: '10.244.0.0/16', ipip: 'Never', vxlan: 'Always' } })
  await everyAgent(lab, 'the whole mesh', meshIsUp(lab))
  await layBait(lab, 'a1')
})
after(() => lab[Symbol.asyncDispose]())

test('P8: a peer that left and a mode that changed while the agent was down: routes, neighbours and forwarding entries are as they should be 5 s after its start, bait untouched', async () => {
  const macs = new Map<string, string>()
  for (const { name } of lab.nodes) macs.set(name, (await agentStatus(name)).vxlan.device?.mac ?? '')
  const before = kernelState('a1')
  const isOurs = (row: string) => (row.includes(OURS) && !row.includes(' table ')) || row.includes('dev vxlan.cali')
  assert.equal(before.filter(row => row.startsWith('forwarding ') && row.endsWith('dev vxlan.cali')).length, 3)

  await lab.agents.kill('a1', 'SIGKILL')
  await lab.agents.kill('b2', 'SIGKILL')
  const { exitCode, stderr } = await lab.calictl(['node', 'delete', 'b2', '--force'])
  assert.equal(exitCode, 0, stderr)
  await setMode(lab, 'VXLAN CrossSubnet')
  assert.deepEqual(kernelState('a1'), before, 'P0: while the agent is down all that is stale stays')

  await lab.agents.start('a1')
  const far = (rows: readonly string[]) => rows.filter(row => row.endsWith('dev vxlan.cali') && row.startsWith('forwarding '))
  const expected = [`forwarding ${macs.get('b1')} dst ${lab.node('b1').address} dev vxlan.cali`]
  await until(() => far(kernelState('a1')).join() === expected.join(), {
    clock: lab.clock,
    what: 'a1 to be clean',
    within: CLEANED,
    instead: () => kernelState('a1').filter(isOurs).join('\n'),
  })
  const rows = kernelState('a1')
  assert.equal(rows.filter(row => row.startsWith('neighbour ') && row.includes(' dev vxlan.cali ')).length, 1)
  assert.equal(rows.filter(row => row.startsWith('route ') && row.includes('dev vxlan.cali')).length, 1)
  assert.ok(rows.some(row => row.includes(`via ${lab.node('a2').address} dev eth0${OURS.trimEnd()}`)))
  assert.deepEqual(
    before.filter(row => !isOurs(row) && !rows.includes(row)),
    [],
    'nothing of others is gone',
  )
  assert.equal((await ping(lab, 'a1-p1', lab.pod('b1-p1').address)).received, 3, 'what stayed works')
})
