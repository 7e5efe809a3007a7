/** MTU on plain routes: underlays of 1400, 1500 and 9000 octets, changed live. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { agentStatus, everyAgent, meshIsUp } from '../lab/agent-status.ts'
import { createLab, type Lab } from '../lab/lab.ts'
import { topology } from '../lab/topology.ts'
import { setUnderlayMtu } from '../lab/underlay.ts'
import { until } from '../lab/until.ts'
import { must } from './frozen.ts'
import { assertLargest, largePing, REFUSALS } from './largest.ts'

let lab: Lab
before(async () => {
  lab = await createLab(topology(1, 2, 1), { pool: { cidr: '10.244.0.0/16', ipip: 'Never' } })
  await everyAgent(lab, 'the whole mesh', meshIsUp(lab))
})
after(() => lab[Symbol.asyncDispose]())

test('P5, P0: on a wire that takes less than its ends believe, a large packet is lost in silence', async () => {
  await must(lab, 'router', 'ip', 'link', 'set', 'a2', 'mtu', '1400')
  const said = await largePing(lab, 'a1-p1', lab.pod('a2-p1').address, 1500)
  assert.match(said, / 0 received/)
  assert.doesNotMatch(said, REFUSALS)
  await must(lab, 'router', 'ip', 'link', 'set', 'a2', 'mtu', '1500')
})

for (const mtu of [1400, 9000, 1500])
  test(`P5, M85: Never on an underlay of ${mtu}: new pods have all of it, the largest packet goes, one octet more is refused`, async () => {
    await setUnderlayMtu(lab, mtu)
    const [here, there] = [`a1-u${mtu}`, `a2-u${mtu}`]
    await Promise.all([newPod('a1', here, mtu), newPod('a2', there, mtu)])
    await assertLargest(lab, { from: here, to: there, fits: mtu })
    // A pod made for 1500 has no use of more, and is told by ICMP where less fits.
    await assertLargest(lab, { from: 'a1-p1', to: there, fits: Math.min(mtu, 1500) })
    const told = (await agentStatus('a1')).problems.filter(problem => problem.includes('MTU'))
    assert.deepEqual(
      told.map(problem => /^pod default\/(\S+) has MTU (\d+), and (\d+) octets fit/.exec(problem)?.slice(1)),
      mtu === 1400 ? [['a1-p1', '1500', '1400']] : [],
    )
    await Promise.all([lab.cniDel('a1', here), lab.cniDel('a2', there)])
  })

test('M85: a pod of a larger underlay than today’s keeps its MTU, is told of in status, and is refused aloud', async () => {
  await setUnderlayMtu(lab, 9000)
  await newPod('a1', 'a1-jumbo', 9000)
  await setUnderlayMtu(lab, 1500)
  await everyAgent(
    lab,
    'a1 to tell of it',
    ({ problems }) => problems.some(each => each.includes('a1-jumbo has MTU 9000, and 1500')),
    {
      nodes: ['a1'],
    },
  )
  assert.match(await must(lab, 'a1-jumbo', 'ip', 'link', 'show', 'eth0'), /mtu 9000/)
  await assertLargest(lab, { from: 'a1-jumbo', to: 'a2-p1', fits: 1500 })
  await lab.cniDel('a1', 'a1-jumbo')
  assert.deepEqual((await agentStatus('a1')).problems, [])
})

/** Wired once the agent has followed the underlay. */
async function newPod(node: string, name: string, mtu: number): Promise<void> {
  await until(
    async () => {
      await lab.cniAdd(node, name)
      return (await must(lab, name, 'ip', 'link', 'show', 'eth0')).includes(`mtu ${mtu} `)
    },
    { clock: lab.clock, what: `a pod with MTU ${mtu} on ${node}` },
  )
}
