/** IPIP from a host that is no node, and IPIP from nodes past a firewall that was there before us. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { everyAgent, meshIsUp } from '../lab/agent-status.ts'
import { echoRequest, inIpip } from '../lab/forge.ts'
import { createLab, type Lab } from '../lab/lab.ts'
import { ping } from '../lab/ping.ts'
import { topology } from '../lab/topology.ts'
import {
  assertArrives,
  assertDropped,
  assertPastHostFirewall,
  DELETE_TABLES,
  type Forgery,
  HOST_FIREWALL,
  tableIsBack,
} from './firewall.ts'
import { must, whileFrozen } from './frozen.ts'

let lab: Lab
before(async () => {
  lab = await createLab(topology(2, 1, 1), { prepare: () => HOST_FIREWALL })
  await everyAgent(lab, 'the whole mesh', meshIsUp(lab))
})
after(() => lab[Symbol.asyncDispose]())

test('M22, M51: across racks in IPIP past FORWARD DROP and INPUT REJECT; P0: without our rule in INPUT nothing comes', () =>
  assertPastHostFirewall(lab, 'ipip'))

test('IPIP from a host that is no node: dropped and counted; P0: it arrives in the pod without our table', async () => {
  const { name, address } = lab.pod('a1-p1')
  const inner = echoRequest({ source: lab.pod('b1-p1').address, destination: address }, 77)
  const packet = inIpip({ source: lab.topology.racks[0]?.gateway ?? '', destination: lab.node('a1').address }, inner)
  const [, to = ''] = /link\/ether (\S+)/.exec(await must(lab, 'a1', 'ip', '-o', 'link', 'show', 'eth0')) ?? []
  const forgery: Forgery = {
    from: 'router:rack-a',
    to,
    packet,
    arrivesAt: `${name}:eth0`,
    isIt: ({ ip }) => ip?.payload.is === 'icmp' && ip.payload.id === 77 && ip.destination === address,
  }
  await whileFrozen(lab, 'a1', async () => {
    await must(lab, 'a1', 'nft', 'delete', 'table', 'inet', 'host')
    await assertDropped(lab, forgery, { node: 'a1', counter: 'forged-ipip' })
    await must(lab, 'a1', ...DELETE_TABLES)
    await assertArrives(lab, forgery)
  })
  await tableIsBack(lab, 'a1')
  await assertDropped(lab, forgery, { node: 'a1', counter: 'forged-ipip' })
  assert.equal((await ping(lab, name, lab.pod('b1-p1').address, 1)).received, 1, 'what nodes send goes on')
})
