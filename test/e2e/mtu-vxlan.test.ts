/** MTU in VXLAN: underlays of 1400, 1500 and 9000 octets changed live, and a way to one node that carries less than the NIC. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { millis } from '@network/base/time/units.ts'
import { agentStatus, everyAgent, meshIsUp } from '../lab/agent-status.ts'
import { createLab, type Lab } from '../lab/lab.ts'
import { topology } from '../lab/topology.ts'
import { setUnderlayMtu } from '../lab/underlay.ts'
import { until } from '../lab/until.ts'
import { must } from './frozen.ts'
import { assertLargest } from './largest.ts'

let lab: Lab
before(async () => {
  lab = await createLab(topology(2, 1, 1), { pool: { cidr: '10.244.0.0/16', ipip: 'Never', vxlan: 'CrossSubnet' } })
  await everyAgent(lab, 'the whole mesh', meshIsUp(lab))
})
after(() => lab[Symbol.asyncDispose]())

const OVERHEAD = 50

for (const mtu of [1400, 9000, 1500])
  test(`P5, M36, M85: VXLAN on an underlay of ${mtu}: the device and new pods have 50 octets less, the largest packet goes, one octet more is refused`, async () => {
    await setUnderlayMtu(lab, mtu)
    await deviceHas('a1', mtu - OVERHEAD)
    await deviceHas('b1', mtu - OVERHEAD)
    const [here, there] = [`a1-u${mtu}`, `b1-u${mtu}`]
    await Promise.all([lab.cniAdd('a1', here), lab.cniAdd('b1', there)])
    assert.match(await must(lab, here, 'ip', 'link', 'show', 'eth0'), new RegExp(`mtu ${mtu - OVERHEAD} `))
    await assertLargest(lab, { from: here, to: there, fits: mtu - OVERHEAD })
    await assertLargest(lab, { from: 'a1-p1', to: there, fits: Math.min(mtu, 1500) - OVERHEAD })
    const told = (await agentStatus('a1')).problems.filter(problem => problem.includes('MTU'))
    assert.deepEqual(
      told.map(problem => /^pod default\/(\S+) has MTU (\d+), and (\d+) octets fit/.exec(problem)?.slice(1)),
      mtu === 1400 ? [['a1-p1', '1450', '1350']] : [],
    )
    await Promise.all([lab.cniDel('a1', here), lab.cniDel('b1', there)])
  })

test('M85: the route to a node has an MTU of its own: the device follows it at once, old pods are told of, and it goes when the route’s goes', async () => {
  const { gateway } = lab.node('a1')
  const far = lab.node('b1').address
  await must(lab, 'a1', 'ip', 'route', 'add', `${far}/32`, 'via', gateway, 'mtu', '1400')
  await deviceHas('a1', 1350)
  await everyAgent(
    lab,
    'a1 to tell of it',
    ({ problems }) => problems.some(each => each.includes('a1-p1 has MTU 1450, and 1350')),
    {
      nodes: ['a1'],
    },
  )
  await assertLargest(lab, { from: 'a1-p1', to: 'b1-p1', fits: 1350 })
  await must(lab, 'a1', 'ip', 'route', 'del', `${far}/32`)
  await deviceHas('a1', 1450)
})

async function deviceHas(node: string, mtu: number): Promise<void> {
  const shown = () => must(lab, node, 'ip', 'link', 'show', 'vxlan.cali')
  await until(async () => (await shown()).includes(`mtu ${mtu} `), {
    clock: lab.clock,
    what: `the device of ${node} to have MTU ${mtu}`,
    within: millis(1000),
    instead: shown,
  })
}
