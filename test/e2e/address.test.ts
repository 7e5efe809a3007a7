/** Which address a node is reached by: chosen as asked, said with its reason, followed when it changes, refused when it is another's. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { agentStatus, everyAgent, meshIsUp } from '../lab/agent-status.ts'
import { flagsOf } from '../lab/agents.ts'
import { createLab, type Lab } from '../lab/lab.ts'
import { program } from '../lab/paths.ts'
import { ping } from '../lab/ping.ts'
import { topology } from '../lab/topology.ts'
import { until } from '../lab/until.ts'
import { must } from './frozen.ts'

/** On every machine that vagrant makes. */
const NAT = '10.0.2.15'
const MOVED = '172.16.20.99'

let lab: Lab
before(async () => {
  lab = await createLab(topology(1, 2, 1), {
    pool: { cidr: '10.244.0.0/16', ipip: 'Never', vxlan: 'Always' },
    agentFlags: ['--node-ip', 'skip-interface=nat.*'],
    prepare: () => `ip link add nat0 type veth peer name nat1
      ip address add ${NAT}/24 dev nat0
      ip link set nat0 up; ip link set nat1 up
      sysctl -qw net.ipv4.conf.all.promote_secondaries=1`,
  })
  await everyAgent(lab, 'the whole mesh', meshIsUp(lab))
})
after(() => lab[Symbol.asyncDispose]())

test('M56: the interface that all have alike is not chosen, and the status says why another was', async () => {
  for (const node of lab.nodes) {
    const { address, addressFrom } = await agentStatus(node.name)
    assert.equal(address, `${node.address}/24`)
    assert.match(addressFrom, /skip-interface: eth0 is the first that is not skipped/)
  }
  assert.match((await lab.calictl(['node', 'status', '-o', 'wide'])).stdout, /skip-interface: eth0/)
})

test('a changed address is followed: Node, sessions, tunnels of the others; P0: before, they are of the former one', async () => {
  const { address } = lab.node('a2')
  const seenByA1 = async () => [
    (await agentStatus('a1')).bgp.peers.map(peer => `${peer.address} ${peer.state}`).join(),
    /dst (\S+)/.exec(await must(lab, 'a1', 'bridge', 'fdb', 'show', 'dev', 'vxlan.cali'))?.[1] ?? 'nowhere',
  ]
  assert.deepEqual(await seenByA1(), [`${address} established`, address], 'P0')
  await must(lab, 'a2', 'sh', '-ec', `ip address add ${MOVED}/24 dev eth0; ip address del ${address}/24 dev eth0`)
  await until(async () => (await seenByA1()).join() === `${MOVED} established,${MOVED}`, {
    clock: lab.clock,
    what: `a1 to follow a2 to ${MOVED}`,
    instead: async () => (await seenByA1()).join(),
  })
  await until(async () => (await agentStatus('a2')).address === `${MOVED}/24`, {
    clock: lab.clock,
    what: 'the status of a2 to tell of its address',
  })
  await everyAgent(lab, 'the whole mesh', meshIsUp(lab))
  assert.deepEqual((await ping(lab, 'a1-p1', lab.pod('a2-p1').address)).received, 3)
  assert.match(lab.agents.log('a2'), /this node has another address/)
})

test('M56: two nodes that choose the same address: the second is refused, with both named', async () => {
  for (const { name } of lab.nodes) await lab.agents.kill(name)
  const argv = (name: string) => [...program('agent'), ...flagsOf(lab.node(name)), '--node-ip', 'interface=nat0']
  const first = lab.spawnIn('a1', argv('a1'))
  const chose = async () => (await lab.calictl(['node', 'get', 'a1', '-o', 'json'])).stdout.includes(`${NAT}/24`)
  await until(chose, { clock: lab.clock, what: `a1 to be at ${NAT}` })
  const second = await lab.exec('a2', argv('a2'))
  assert.equal(second.exitCode, 1, second.stderr)
  assert.match(second.stdout + second.stderr, new RegExp(`register node a2: its address ${NAT} already belongs to node a1`))
  first.kill()
  await first.ended
})
