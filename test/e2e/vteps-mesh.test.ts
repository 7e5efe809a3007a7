/** Ten nodes, each of which hears of the nine others: the mesh of far ends is whole, exact, and follows who comes and goes. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { formatIpv4 } from '@network/base/net/ipv4.ts'
import { NetlinkClient } from '@network/netlink/client.ts'
import { everyAgent, meshIsUp } from '../lab/agent-status.ts'
import { namespaceOf } from '../lab/command.ts'
import { createLab, type Lab } from '../lab/lab.ts'
import { topology } from '../lab/topology.ts'
import { until } from '../lab/until.ts'
import { must } from './frozen.ts'

const NODES = 10

let lab: Lab
before(async () => {
  lab = await createLab(topology(2, NODES / 2, 0), { pool: { cidr: '10.244.0.0/16', ipip: 'Never', vxlan: 'Always' } })
  await everyAgent(lab, 'the whole mesh', meshIsUp(lab))
})
after(() => lab[Symbol.asyncDispose]())

test(`M26, P2: ${NODES} nodes: each has ${NODES - 1} neighbours and ${NODES - 1} forwarding entries, of each other node one`, () => {
  const tables = lab.nodes.map(({ name }) => farEnds(name))
  for (const [at, { neighbours, remotes }] of tables.entries()) {
    const others = lab.nodes.filter((_, index) => index !== at).map(({ address }) => address)
    assert.deepEqual(remotes, others.toSorted(), lab.nodes[at]?.name)
    assert.equal(new Set(neighbours).size, NODES - 1)
  }
  assert.equal(
    tables.reduce((sum, { neighbours }) => sum + neighbours.length, 0),
    NODES * (NODES - 1),
  )
})

test('P8: a node that leaves is gone from all within 5 s, and nobody else is', async () => {
  await lab.agents.kill('b5')
  await must(lab, 'router', 'calictl', 'node', 'delete', 'b5', '--force')
  const left = lab.nodes.filter(({ name }) => name !== 'b5')
  await until(() => left.every(({ name }) => farEnds(name).remotes.length === NODES - 2), {
    clock: lab.clock,
    what: 'all to have forgotten b5',
    instead: () => JSON.stringify(left.map(({ name }) => farEnds(name))),
  })
  for (const { name } of left) {
    const { remotes, neighbours } = farEnds(name)
    assert.ok(!remotes.includes(lab.node('b5').address))
    assert.equal(neighbours.length, NODES - 2)
  }
})

function farEnds(node: string): { neighbours: string[]; remotes: string[] } {
  using client = NetlinkClient.open({ namespace: namespaceOf(node) })
  const index = client.link('vxlan.cali')?.index ?? assert.fail(node)
  return {
    neighbours: client.neighbours(index).flatMap(({ state, mac }) => (state === 'permanent' && mac !== undefined ? [mac] : [])),
    remotes: client
      .forwardingEntries(index)
      .flatMap(({ remote }) => (remote === undefined ? [] : [formatIpv4(remote)]))
      .sort(),
  }
}
