/** Pools come and go on a running cluster: the agents' own addresses do not keep one, and nobody's packets are lost for it. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { contains, type Prefix, prefix } from '@network/base/net/prefix.ts'
import { systemRandom } from '@network/base/time/clock.ts'
import { millis } from '@network/base/time/units.ts'
import { openDatastore } from '@network/datastore/open.ts'
import { type PoolChange, setPool } from '@network/datastore/pools.ts'
import type { AgentStatus } from '@network/model/status.ts'
import { everyAgent, meshIsUp } from '../lab/agent-status.ts'
import { createLab, type Lab } from '../lab/lab.ts'
import { flood, ping } from '../lab/ping.ts'
import { topology } from '../lab/topology.ts'
import { must } from './frozen.ts'

const FORMER = prefix('10.244.0.0/16')
const LATER = prefix('10.245.0.0/16')

let lab: Lab
before(async () => {
  lab = await createLab(topology(2, 2, 1), { pool: { cidr: '10.244.0.0/16', ipip: 'Never', vxlan: 'Always' } })
  await everyAgent(lab, 'the whole mesh', meshIsUp(lab))
})
after(() => lab[Symbol.asyncDispose]())

test('P0: a pool that pods have addresses of is not deleted, and no tunnel address goes', async () => {
  const { exitCode, stderr } = await lab.calictl(['ippool', 'delete', 'default'])
  assert.notEqual(exitCode, 0)
  assert.match(stderr, /4 addresses are in use on a1, a2, b1, b2/)
  for (const { name } of lab.nodes) assert.equal((await tunnelAddresses(name, FORMER)).length, 1)
})

test('a pool that only tunnels have addresses of goes while pods of another pool speak: tunnels move back and forth, nothing is lost', async () => {
  await must(lab, 'router', 'calictl', 'ippool', 'create', 'later', '--cidr', '10.245.0.0/16', '--vxlan', 'Always')
  for (const { name } of lab.nodes) await lab.cniDel(name, `${name}-p1`)
  await change('default', { disabled: true })
  for (const { name } of lab.nodes) await lab.cniAdd(name, `${name}-new`)
  assert.ok(lab.pods.every(({ address }) => isIn(LATER, address)))
  await everyAgent(lab, 'the whole mesh in the later pool', status => meshIsUp(lab)(status) && tunnelIn(LATER)(status))
  const streams = lab.pods.slice(1).map(({ address }) => flood(lab, 'a1-new', address, { interval: millis(5) }))
  await Promise.all(streams.map(stream => stream.flowing(20)))
  await change('default', { disabled: false })
  await change('later', { disabled: true })
  await everyAgent(lab, 'all tunnels to be in the former pool again', tunnelIn(FORMER))
  await change('later', { disabled: false })
  await must(lab, 'router', 'calictl', 'ippool', 'delete', 'default')
  await everyAgent(lab, 'all tunnels to be in the later pool', tunnelIn(LATER))
  await Promise.all(streams.map(stream => stream.flowing(300)))
  for (const stream of streams) assert.deepEqual((await stream.stop()).lostSequences, [])
  for (const { name } of lab.nodes) assert.deepEqual(await tunnelAddresses(name, FORMER), [], 'P2')
})

test('the last pool goes when its pods are gone; the nodes give their tunnel addresses up, and take new ones of the next pool', async () => {
  for (const { name } of lab.nodes) await lab.cniDel(name, `${name}-new`)
  await must(lab, 'router', 'calictl', 'ippool', 'delete', 'later')
  await everyAgent(lab, 'no tunnel address to be left', ({ vxlan, converged }) => converged && vxlan.device?.address == null)
  for (const { name } of lab.nodes) assert.deepEqual(await tunnelAddresses(name, LATER), [], `P2: ${name}`)
  await must(lab, 'router', 'calictl', 'ippool', 'create', 'default', '--cidr', '10.244.0.0/16', '--vxlan', 'Always')
  for (const { name } of lab.nodes) await lab.cniAdd(name, `${name}-p1`)
  await everyAgent(lab, 'the whole mesh', meshIsUp(lab))
  assert.equal((await ping(lab, 'a1-p1', lab.pod('b1-p1').address)).received, 3)
})

test('an agent that was away while its pool was deleted and made anew takes a tunnel address that is its own', async () => {
  for (const { name } of lab.nodes) await lab.cniDel(name, `${name}-p1`)
  await lab.agents.kill('a1', 'SIGKILL')
  await must(lab, 'router', 'calictl', 'ippool', 'delete', 'default')
  await must(lab, 'router', 'calictl', 'ippool', 'create', 'default', '--cidr', '10.244.0.0/16', '--vxlan', 'Always')
  await lab.agents.start('a1')
  await everyAgent(lab, 'a tunnel address a node', status => tunnelIn(FORMER)(status) && status.converged)
  for (const { name } of lab.nodes) {
    const [now = ''] = await tunnelAddresses(name, FORMER)
    assert.match(await must(lab, 'router', 'calictl', 'ipam', 'show', '--ip', now), new RegExp(`tunnel.*${name}|${name}.*tunnel`))
  }
})

function isIn(pool: Prefix, address: string): boolean {
  return contains(pool, ipv4(address))
}

function tunnelIn(pool: Prefix): (status: AgentStatus) => boolean {
  return ({ converged, vxlan }) =>
    converged && vxlan.device?.address != null && isIn(pool, vxlan.device.address.replace('/32', ''))
}

async function tunnelAddresses(node: string, pool: Prefix): Promise<string[]> {
  const text = await must(lab, node, 'ip', '-4', '-o', 'address', 'show', 'dev', 'vxlan.cali')
  return [...text.matchAll(/inet ([\d.]+)\/32/g)].flatMap(([, address]) =>
    address !== undefined && isIn(pool, address) ? [address] : [],
  )
}

async function change(pool: string, what: PoolChange): Promise<void> {
  await using store = await openDatastore(`sqlite:${lab.runDir}/cali.db`, { clock: lab.clock, random: systemRandom })
  assert.equal((await setPool(store, pool, what, { signal: new AbortController().signal })).is, 'set')
}
