/** Everybody reaches everybody under their own addresses, in every mode that needs no ipip; also over a masquerading that others have. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { everyAgent, meshIsUp } from '../lab/agent-status.ts'
import { createLab, type Lab } from '../lab/lab.ts'
import { topology } from '../lab/topology.ts'
import { must, whileFrozen } from './frozen.ts'
import { assertUnreached, assertWay, waysIn } from './matrix.ts'
import { isIn, setMode, teachRouter } from './mode-changes.ts'

let lab: Lab
before(async () => {
  lab = await createLab(topology(2, 2, 2), { rpFilter: 1, pool: { cidr: '10.244.0.0/16', ipip: 'Never' } })
  await everyAgent(lab, 'the whole mesh', meshIsUp(lab))
  await teachRouter(lab)
})
after(() => lab[Symbol.asyncDispose]())

test('P0: without its routes a node reaches no other pod', async () => {
  await whileFrozen(lab, 'a1', async () => {
    await must(lab, 'a1', 'ip', 'route', 'flush', 'table', 'main', 'proto', '80', 'metric', '1024')
    await must(lab, 'a1', 'ip', 'route', 'add', 'unreachable', '10.244.0.0/16')
    for (const to of ['a1-p2', 'a2-p1', 'b1-p1']) await assertUnreached(lab, 'a1-p1', to)
    await must(lab, 'a1', 'ip', 'route', 'del', 'unreachable', '10.244.0.0/16')
  })
  await everyAgent(lab, 'a1 to have mended it', status => isIn('Never')(status) && status.repairs.count > 0, { nodes: ['a1'] })
})

for (const mode of ['Never', 'VXLAN Always', 'VXLAN CrossSubnet'] as const)
  test(`M16, ${mode}`, async t => {
    await setMode(lab, mode)
    await everyAgent(lab, mode, isIn(mode))
    for (const way of waysIn(mode))
      await t.test(`P1, P3, P4: ${way.what}: TTL ${way.ttl}, ${way.form ?? 'not on the wire'}`, () => assertWay(lab, way))
  })

test('M30, M76: what a node says into a tunnel it says with the address of its tunnel device, else with its own', async () => {
  const sourceTo = async (pod: string) => {
    const text = await must(lab, 'a1', 'ip', '-o', 'route', 'get', lab.pod(pod).address)
    return / src ([\d.]+)/.exec(text)?.[1]
  }
  const tunnel = /inet ([\d.]+)\/32/.exec(await must(lab, 'a1', 'ip', '-4', '-o', 'address', 'show', 'dev', 'vxlan.cali'))?.[1]
  assert.deepEqual(
    [await sourceTo('b1-p1'), await sourceTo('a2-p1'), await sourceTo('a1-p1')],
    [tunnel, lab.node('a1').address, lab.node('a1').address],
  )
})
