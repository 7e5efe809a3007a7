/** Four nodes go from the full mesh to two reflectors among themselves, by resources alone and while packets flow. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { millis } from '@network/base/time/units.ts'
import type { AgentStatus } from '@network/model/status.ts'
import { agentStatus, everyAgent, meshIsUp } from '../lab/agent-status.ts'
import { capture } from '../lab/capture.ts'
import { createLab, type Lab } from '../lab/lab.ts'
import { flood, ping } from '../lab/ping.ts'
import { topology } from '../lab/topology.ts'
import { until } from '../lab/until.ts'
import { apply, remove, setNode } from './resources.ts'

const REFLECTORS = ['a1', 'a2']
const CLIENTS = ['a3', 'a4']
const CLUSTER_ID = '244.0.0.1'

const MESH_OFF = `
apiVersion: projectcalico.org/v3
kind: BGPConfiguration
metadata: { name: default }
spec: { nodeToNodeMeshEnabled: false }
`
const BY_REFLECTORS = `
apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata: { name: peer-with-route-reflectors }
spec: { nodeSelector: all(), peerSelector: route-reflector == 'true' }
`

let lab: Lab
before(async () => {
  lab = await createLab(topology(1, 4, 1), { pool: { cidr: '10.244.0.0/16', ipip: 'Never' } })
  await everyAgent(lab, 'the whole mesh', meshIsUp(lab))
})
after(() => lab[Symbol.asyncDispose]())

test('M74: a mesh becomes two reflectors and their clients without a lost packet; next hops stay, and reflectors carry no packets of others', {
  timeout: 180_000,
}, async () => {
  const to = lab.pod('a4-p1')
  const pinging = flood(lab, 'a3-p1', to.address)
  await pinging.flowing()
  const wire = lab.spawnIn('a3', [
    ...['tshark', '-l', '-i', 'eth0', '-f', 'tcp port 179', '-Y', 'bgp.update.path_attribute.originator_id', '-T', 'fields'],
    ...['-e', 'ip.src', '-e', 'bgp.update.path_attribute.originator_id', '-e', 'bgp.path_attribute.cluster_id'],
  ])
  const reflected: string[] = []
  wire.stdout.on('data', (chunk: Buffer) => reflected.push(chunk.toString()))
  let said = ''
  wire.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  await until(() => said.includes('Captur'), { clock: lab.clock, what: 'tshark', instead: () => said })

  await apply(BY_REFLECTORS)
  for (const name of REFLECTORS)
    await setNode(name, { labels: { 'route-reflector': 'true' }, bgp: { routeReflectorClusterID: CLUSTER_ID } })
  await everyAgent(lab, 'sessions with reflectors', status =>
    REFLECTORS.every(name => name === status.node || isUp(status, name)),
  )
  const between = (await agentStatus('a3')).bgp.peers.find(({ name }) => name === 'a4')
  assert.equal(between?.flaps, 0, 'the session of the mesh did not blink')
  await apply(MESH_OFF)
  const statuses = await everyAgent(
    lab,
    'reflectors only',
    status => status.converged && sessions(status) === (REFLECTORS.includes(status.node) ? 3 : 2) && status.bgp.settled,
  )
  assert.equal(statuses.reduce((sum, status) => sum + sessions(status), 0) / 2, CLIENTS.length * 2 + 1, 'sessions in all')
  const route = (await lab.routes('a3')).find(({ dst }) => dst.startsWith(to.address.replace(/\.\d+$/, '')))
  assert.equal(route?.gateway, lab.node('a4').address, 'the next hop is the owner, not the reflector')

  await until(() => reflected.join('').includes(`${lab.node('a4').address}\t`), {
    clock: lab.clock,
    what: 'a4’s routes by way of a reflector',
    instead: () => reflected.join(''),
  })
  wire.kill('SIGINT')
  assert.match(reflected.join(''), new RegExp(`172\\.16\\.20\\.1[12]\t172\\.16\\.20\\.14\t${CLUSTER_ID.replaceAll('.', '\\.')}`))

  await using seen = await capture(lab, 'a1:eth0', { filter: ({ ip }) => ip?.protocol === 1 })
  await using control = await capture(lab, 'a3:eth0', { filter: ({ ip }) => ip?.protocol === 1 })
  await control.first(({ ip }) => ip?.destination === to.address)
  const passed = await seen.stop()
  assert.deepEqual(
    passed.filter(({ ip }) => ip?.destination === to.address),
    [],
    'no packet of the two goes by a reflector',
  )

  const { lostSequences, sent } = await pinging.stop()
  assert.ok(sent > 100, `${sent} pings`)
  assert.deepEqual(lostSequences, [])
})

test('M74: a reflector is killed: no packet is lost, and what the other one reflects stays; P0: with neither, the routes go', {
  timeout: 180_000,
}, async () => {
  const pinging = flood(lab, 'a3-p1', lab.pod('a4-p1').address)
  await pinging.flowing()
  await lab.agents.kill('a1', 'SIGKILL')
  await everyAgent(lab, 'a1 to be missed', status => !isUp(status, 'a1'), { nodes: ['a3', 'a4'] })
  await lab.agents.start('a1')
  await everyAgent(lab, 'a1 to be back', status => isUp(status, 'a1') && status.converged, { nodes: ['a3', 'a4'] })
  const { lostSequences } = await pinging.stop()
  assert.deepEqual(lostSequences, [])

  await remove('/cali/v1/bgppeers/peer-with-route-reflectors')
  await everyAgent(lab, 'no session', status => status.bgp.peers.length === 0 && status.converged)
  assert.equal((await ping(lab, 'a3-p1', lab.pod('a4-p1').address, 1)).received, 0, 'P0')
  await apply(BY_REFLECTORS)
  await until(async () => (await ping(lab, 'a3-p1', lab.pod('a4-p1').address, 1)).received === 1, {
    clock: lab.clock,
    what: 'the reflectors to be back',
    within: millis(30_000),
  })
})

test('the cluster gets another AS number: all speak as it, and no packet is lost', { timeout: 180_000 }, async () => {
  const pinging = flood(lab, 'a3-p1', lab.pod('a4-p1').address)
  await pinging.flowing()
  await apply(MESH_OFF.replace('nodeToNodeMeshEnabled: false', 'nodeToNodeMeshEnabled: false, asNumber: 64999'))
  await everyAgent(
    lab,
    'AS 64999 everywhere',
    status =>
      status.asn === 64999 && sessions(status) >= 2 && status.bgp.peers.every(({ asn }) => asn === 64999) && status.converged,
  )
  const { lostSequences } = await pinging.stop()
  assert.deepEqual(lostSequences, [])
})

function isUp(status: AgentStatus, name: string): boolean {
  return status.bgp.peers.some(peer => peer.name === name && peer.state === 'established')
}

function sessions({ bgp }: AgentStatus): number {
  return bgp.peers.filter(({ state }) => state === 'established').length
}
