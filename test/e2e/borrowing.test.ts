/** A pool of one block on three nodes: pods of all of them get addresses, and packets find the borrowed ones. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { agentStatus, everyAgent } from '../lab/agent-status.ts'
import { createLab, type Lab } from '../lab/lab.ts'
import { ping } from '../lab/ping.ts'
import { topology } from '../lab/topology.ts'
import { until } from '../lab/until.ts'
import { must } from './frozen.ts'
import { apply } from './resources.ts'

let lab: Lab
/** The node that was first to need an address, for its tunnel, has the only block; it may be any. */
let owner = ''
let borrower = ''
let third = ''
before(async () => {
  lab = await createLab(topology(1, 3, 0), { pool: { cidr: '10.244.0.0/26', ipip: 'Never' } })
  const owns = async (node: string) => (await agentStatus(node)).bgp.originated.includes('10.244.0.0/26')
  const nodes = ['a1', 'a2', 'a3']
  const found = async () => (await Promise.all(nodes.map(async node => ((await owns(node)) ? node : undefined)))).find(Boolean)
  owner = await until(found, { clock: lab.clock, what: 'an owner of the block' })
  ;[borrower = '', third = ''] = nodes.filter(node => node !== owner)
})
after(() => lab[Symbol.asyncDispose]())

test('without a block of its own a node refuses a pod; allowed to borrow it takes one, and packets pass both ways', async () => {
  const own = await lab.cniAdd(owner, `${owner}-p1`)
  await assert.rejects(lab.cniAdd(borrower, `${borrower}-p1`), /no address is free in default/, 'P0')
  await apply(`
apiVersion: projectcalico.org/v3
kind: IPAMConfiguration
metadata: { name: default }
spec: { strictAffinity: false }
---
apiVersion: projectcalico.org/v3
kind: IPReservation
metadata: { name: gateways }
spec: { reservedCIDRs: [10.244.0.0/28] }
`)
  const lent = await lab.cniAdd(borrower, `${borrower}-p1`)
  const other = await lab.cniAdd(third, `${third}-p1`)
  for (const { address } of [lent, other]) assert.ok(Number(address.split('.')[3]) > 15, `${address} is reserved`)
  await everyAgent(lab, 'all to know the borrowed addresses', ({ node, routes }) =>
    [lent, other].every(pod => pod.node === node || routes.some(({ destination }) => destination === `${pod.address}/32`)),
  )
  assert.match(
    await must(lab, owner, 'ip', 'route', 'get', 'fibmatch', lent.address),
    new RegExp(`^${lent.address} via ${lab.node(borrower).address} dev eth0 proto 80`),
    'the owner follows the longer prefix, not its own blackhole',
  )
  for (const [from, to] of [
    [own, lent],
    [lent, own],
    [lent, other],
    [other, lent],
  ] as const)
    assert.equal((await ping(lab, from.name, to.address)).received, 3, `${from.name} to ${to.name}`)
  assert.match(await must(lab, owner, 'ip', 'route', 'show', 'type', 'blackhole'), /10\.244\.0\.0\/26/)
})

test('a borrowed address that is given back is known to nobody any more, and can be had by its owner', async () => {
  const { address } = lab.pod(`${borrower}-p1`)
  await lab.cniDel(borrower, `${borrower}-p1`)
  await until(async () => !(await lab.routes(owner)).some(({ dst }) => dst === address), {
    clock: lab.clock,
    what: 'the owner to forget it',
  })
  const used: unknown = await lab.calictlJson(['ipam', 'show', '--ip', address])
  assert.doesNotMatch(JSON.stringify(used), new RegExp(`${borrower}-p1`))
  assert.equal((await ping(lab, `${third}-p1`, lab.pod(`${owner}-p1`).address)).received, 3, 'the others do not notice')
})
