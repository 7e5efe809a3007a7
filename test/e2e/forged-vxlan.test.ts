/** VXLAN from a host that is no node and from a pod, and VXLAN from nodes past a firewall that was there before us. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { agentStatus, everyAgent, meshIsUp } from '../lab/agent-status.ts'
import { echoRequest, inVxlan } from '../lab/forge.ts'
import { createLab, type Lab } from '../lab/lab.ts'
import { topology } from '../lab/topology.ts'
import { until } from '../lab/until.ts'
import {
  assertArrives,
  assertDropped,
  assertPastHostFirewall,
  COUNT,
  DELETE_TABLES,
  dropped,
  type Forgery,
  HOST_FIREWALL,
  REPAIRED,
  tableIsBack,
} from './firewall.ts'
import { must, whileFrozen } from './frozen.ts'

/** RFC 7348; the capture knows no other. */
const PORT = 4789
const VNI = 77

let lab: Lab
before(async () => {
  lab = await createLab(topology(2, 1, 1), {
    pool: { cidr: '10.244.0.0/16', ipip: 'Never', vxlan: 'Always' },
    agentConfig: `vxlan: {vni: ${VNI}}`,
    prepare: () => HOST_FIREWALL,
  })
  await everyAgent(lab, 'the whole mesh', meshIsUp(lab))
})
after(() => lab[Symbol.asyncDispose]())

test('M22, M51: across racks in VXLAN past FORWARD DROP and INPUT REJECT; P0: without our rule in INPUT nothing comes', () =>
  assertPastHostFirewall(lab, 'vxlan'))

test('VXLAN from a host that is no node: dropped and counted; P0: it arrives in the pod without our table', async () => {
  const { name, address } = lab.pod('a1-p1')
  const inner = echoRequest({ source: lab.pod('b1-p1').address, destination: address }, 77)
  const ends = { source: lab.topology.racks[0]?.gateway ?? '', destination: lab.node('a1').address }
  const packet = inVxlan(ends, { port: PORT, vni: VNI, to: await macOf('vxlan.cali') }, inner)
  const forgery: Forgery = {
    from: 'router:rack-a',
    to: await macOf('eth0'),
    packet,
    arrivesAt: `${name}:eth0`,
    isIt: ({ ip }) => ip?.payload.is === 'icmp' && ip.payload.id === 77 && ip.destination === address,
  }
  await assertDropped(lab, forgery, { node: 'a1', counter: 'forged-vxlan' })
  await whileFrozen(lab, 'a1', async () => {
    await must(lab, 'a1', 'sh', '-c', 'nft delete table inet cali; nft delete table netdev cali; nft delete table inet host')
    await assertArrives(lab, forgery)
  })
  await tableIsBack(lab, 'a1')
  await assertDropped(lab, forgery, { node: 'a1', counter: 'forged-vxlan' })
})

test('VXLAN of another network on the same port is its owner’s business: it arrives, and nothing is counted', async () => {
  await must(lab, 'a1', 'ip', 'link', 'add', 'other', 'type', 'vxlan', 'id', '5', 'dstport', String(PORT), 'nolearning')
  await must(lab, 'a1', 'ip', 'link', 'set', 'other', 'up')
  const ends = { source: lab.topology.racks[0]?.gateway ?? '', destination: lab.node('a1').address }
  const inner = echoRequest({ source: '192.0.2.1', destination: '192.0.2.2' }, 79)
  const forgery: Forgery = {
    from: 'router:rack-a',
    to: await macOf('eth0'),
    packet: inVxlan(ends, { port: PORT, vni: 5, to: await macOf('other') }, inner),
    arrivesAt: 'a1:other',
    isIt: ({ ip }) => ip?.payload.is === 'icmp' && ip.payload.id === 79,
  }
  const before = await dropped(lab, 'a1', 'forged-vxlan')
  await assertArrives(lab, forgery)
  assert.equal(await dropped(lab, 'a1', 'forged-vxlan'), before)
  await must(lab, 'a1', 'ip', 'link', 'delete', 'other')
})

test('M68: a pod cannot send VXLAN, not even to a node of ours; P0: it arrives there without our table', async () => {
  const { name, address } = lab.pod('a1-p1')
  const inner = echoRequest({ source: lab.pod('b1-p1').address, destination: address }, 78)
  const ends = { source: address, destination: lab.node('b1').address }
  const packet = inVxlan(ends, { port: PORT, vni: VNI, to: await macOf('vxlan.cali') }, inner)
  const forgery: Forgery = {
    from: `${name}:eth0`,
    to: 'ee:ee:ee:ee:ee:ee',
    packet,
    arrivesAt: 'b1:eth0',
    isIt: ({ ip }) => ip?.source === address && ip.payload.is === 'vxlan',
  }
  await assertDropped(lab, forgery, { node: 'a1', counter: 'forged-vxlan' })
  await whileFrozen(lab, 'a1', async () => {
    await must(lab, 'a1', ...DELETE_TABLES)
    await assertArrives(lab, forgery)
  })
  await tableIsBack(lab, 'a1')
  await assertDropped(lab, forgery, { node: 'a1', counter: 'forged-vxlan' })
  await until(async () => (await agentStatus('a1')).firewall.dropped.forgedVxlan >= COUNT, {
    clock: lab.clock,
    what: 'the status to tell of them',
    ...REPAIRED,
  })
})

async function macOf(device: string): Promise<string> {
  const [, mac = ''] = /link\/ether (\S+)/.exec(await must(lab, 'a1', 'ip', '-o', 'link', 'show', device)) ?? []
  return mac
}
