/** All five legal modes, all twenty ordered changes, under pings on every pair. The fabric knows the pods, so nothing need be lost. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { everyAgent, meshIsUp } from '../lab/agent-status.ts'
import { createLab, type Lab } from '../lab/lab.ts'
import { topology } from '../lab/topology.ts'
import { allChanges, changeUnderTraffic, teachRouter } from './mode-changes.ts'

let lab: Lab
before(async () => {
  lab = await createLab(topology(2, 2, 1), { rpFilter: 1, pool: { cidr: '10.244.0.0/16', ipip: 'Never' } })
  await everyAgent(lab, 'the whole mesh', meshIsUp(lab))
  await teachRouter(lab)
})
after(() => lab[Symbol.asyncDispose]())

const CHANGES = allChanges(['Never', 'IPIP Always', 'IPIP CrossSubnet', 'VXLAN Always', 'VXLAN CrossSubnet'])

test('the changes are all twenty, each once', () => {
  assert.equal(new Set(CHANGES.map(([from, to]) => `${from} ${to}`)).size, 20)
})

for (const [at, [from, to]] of CHANGES.entries())
  test(`M53, M79: ${from} to ${to}, one node later than the others: nothing lost on any pair`, async t => {
    const late = lab.nodes[at % lab.nodes.length]?.name ?? 'a1'
    const losses = await changeUnderTraffic(lab, to, { late, intervalMs: 20, replies: 20 })
    t.diagnostic(
      `${from} -> ${to}: lost ${losses.reduce((sum, { lost }) => sum + lost.length, 0)} of ${losses.reduce((sum, { sent }) => sum + sent, 0)}, ${late} late`,
    )
    assert.equal(losses.length, 6)
    assert.deepEqual(
      losses.filter(({ lost }) => lost.length > 0),
      [],
    )
  })
