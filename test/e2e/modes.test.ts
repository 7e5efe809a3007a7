/** The modes that need no ipip, changed live under pings at 1 ms on every pair. The fabric knows the pods, so nothing need be lost. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { everyAgent, meshIsUp } from '../lab/agent-status.ts'
import { createLab, type Lab } from '../lab/lab.ts'
import { ping } from '../lab/ping.ts'
import { topology } from '../lab/topology.ts'
import { must, whileFrozen } from './frozen.ts'
import { allChanges, changeUnderTraffic, isIn, setMode, teachRouter } from './mode-changes.ts'

let lab: Lab
before(async () => {
  lab = await createLab(topology(2, 2, 1), { rpFilter: 1, pool: { cidr: '10.244.0.0/16', ipip: 'Never' } })
  await everyAgent(lab, 'the whole mesh', meshIsUp(lab))
  await teachRouter(lab)
})
after(() => lab[Symbol.asyncDispose]())

const CHANGES = allChanges(['Never', 'VXLAN Always', 'VXLAN CrossSubnet'])

for (const [at, [from, to]] of CHANGES.entries())
  test(`M53: ${from} to ${to}, one node later than the others: nothing lost on any pair`, async t => {
    const late = lab.nodes[at % lab.nodes.length]?.name ?? 'a1'
    const losses = await changeUnderTraffic(lab, to, { late, intervalMs: 1, replies: 200 })
    t.diagnostic(
      `${from} -> ${to}: lost ${losses.reduce((sum, { lost }) => sum + lost.length, 0)} of ${losses.reduce((sum, { sent }) => sum + sent, 0)}, ${late} late`,
    )
    assert.equal(losses.length, 6)
    assert.deepEqual(
      losses.filter(({ lost }) => lost.length > 0),
      [],
    )
  })

test('P0: where a node does not take the form that others send, everything to it is lost', async () => {
  await setMode(lab, 'VXLAN Always')
  await everyAgent(lab, 'VXLAN everywhere', isIn('VXLAN Always'))
  const lost = await whileFrozen(lab, 'b1', async () => {
    await must(lab, 'b1', 'ip', 'link', 'set', 'vxlan.cali', 'down')
    return ping(lab, 'a1-p1', lab.pod('b1-p1').address, 1)
  })
  assert.equal(lost.received, 0)
})
