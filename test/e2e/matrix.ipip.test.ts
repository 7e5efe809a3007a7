/** Everybody reaches everybody under their own addresses, in the modes that need ipip. */
import { after, before, test } from 'node:test'
import { everyAgent, meshIsUp } from '../lab/agent-status.ts'
import { createLab, type Lab } from '../lab/lab.ts'
import { topology } from '../lab/topology.ts'
import { assertWay, waysIn } from './matrix.ts'
import { isIn, setMode } from './mode-changes.ts'

let lab: Lab
before(async () => {
  lab = await createLab(topology(2, 2, 1), { rpFilter: 1, pool: { cidr: '10.244.0.0/16', ipip: 'Never' } })
  await lab.cniAdd('a1', 'a1-p2')
  await everyAgent(lab, 'the whole mesh', meshIsUp(lab))
})
after(() => lab[Symbol.asyncDispose]())

for (const mode of ['IPIP Always', 'IPIP CrossSubnet'] as const)
  test(`M16, ${mode}`, async t => {
    await setMode(lab, mode)
    await everyAgent(lab, mode, isIn(mode))
    for (const way of waysIn(mode))
      await t.test(`P1, P3, P4: ${way.what}: TTL ${way.ttl}, ${way.form ?? 'not on the wire'}`, () => assertWay(lab, way))
  })
