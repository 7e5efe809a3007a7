/** A top-of-rack BIRD in an AS of its own: peering, filters, communities and pools that are not told, by resources alone. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { agentStatus, everyAgent, meshIsUp } from '../lab/agent-status.ts'
import { createLab, type Lab } from '../lab/lab.ts'
import { topology } from '../lab/topology.ts'
import { until } from '../lab/until.ts'
import { must } from './frozen.ts'
import { apply, setNode } from './resources.ts'

const BIRD = '172.16.20.1'
const WANTED = '10.244.250.0/26'
const REFUSED = '10.244.251.0/26'

let lab: Lab
before(async () => {
  lab = await createLab(topology(1, 3, 1), { pool: { cidr: '10.244.0.0/16', ipip: 'Never' } })
  const peers = lab.nodes.map(
    ({ name, address }) => `
protocol bgp ${name} {
  local ${BIRD} as 65001;
  neighbor ${address} as 64512;
  connect delay time 1; connect retry time 1; error wait time 1, 2;
  ipv4 { import all; export where source = RTS_STATIC; };
}`,
  )
  writeFileSync(
    '/run/cali/bird.conf',
    `router id ${BIRD};
protocol device {}
protocol static { ipv4; route ${WANTED} blackhole; route ${REFUSED} blackhole; }
${peers.join('\n')}`,
  )
  lab.spawnIn('router', ['bird', '-f', '-c', '/run/cali/bird.conf', '-s', '/run/cali/bird.ctl'])
  await everyAgent(lab, 'the mesh', meshIsUp(lab))
})
after(() => lab[Symbol.asyncDispose]())

const PEER = (filters: string) => `
apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata: { name: tor }
spec: { nodeSelector: rack == 'r1', peerIP: ${BIRD}, asNumber: 65001, filters: [${filters}] }
`
const FILTER = `
apiVersion: projectcalico.org/v3
kind: BGPFilter
metadata: { name: not-that }
spec:
  importV4:
    - { action: Reject, matchOperator: In, cidr: ${REFUSED} }
  exportV4:
    - { action: Accept, source: RemotePeers, operations: [{ addCommunity: { value: '64512:7' } }] }
`

test('the nodes that a selector names peer with BIRD, the others do not; the mesh does not blink', async () => {
  await setNode('a1', { labels: { rack: 'r1' } })
  await setNode('a2', { labels: { rack: 'r1' } })
  assert.doesNotMatch(await shown(), /BGP\.as_path/, 'P0')
  await apply(PEER(''))
  const statuses = await everyAgent(lab, 'BIRD on a1 and a2', ({ node, bgp }) => isUp(bgp) === (node !== 'a3'))
  for (const { bgp } of statuses) for (const peer of bgp.peers.filter(({ type }) => type === 'mesh')) assert.equal(peer.flaps, 0)
  await hears('a1', [WANTED, REFUSED], [])
  await birdHas(/a1[\s\S]*BGP\.as_path: 64512\n/)
})

test('a BGPFilter refuses a prefix and marks others without a new session; taken away, the prefix is back', async () => {
  await apply(`${FILTER}---${PEER('not-that')}`)
  await hears('a1', [WANTED], [REFUSED])
  await birdHas(/BGP\.community: \(64512,7\)/)
  const { bgp } = await agentStatus('a1')
  assert.equal(bgp.peers.find(({ address }) => address === BIRD)?.flaps, 0)
  await apply(PEER(''))
  await hears('a1', [WANTED, REFUSED], [])
})

test('a filter that is not there closes the session’s doors and says so; what cannot be done says so, too', async () => {
  await apply(PEER('nowhere').replace('filters:', 'keepaliveTime: 5s, filters:'))
  await hears('a1', [], [WANTED, REFUSED])
  const { problems } = await agentStatus('a1')
  assert.match(problems.join('\n'), /BGPPeer tor: there is no BGPFilter nowhere; nothing is exchanged/)
  assert.match(problems.join('\n'), /BGPPeer tor: keepaliveTime does nothing/)
  await apply(PEER(''))
  await hears('a1', [WANTED, REFUSED], [])
  assert.deepEqual((await agentStatus('a1')).problems, [])
})

test('communities of BGPConfiguration are on the wire; a pool with disableBGPExport is told to nobody', async () => {
  await apply(`
apiVersion: projectcalico.org/v3
kind: BGPConfiguration
metadata: { name: default }
spec:
  communities: [{ name: pods, value: '64512:300' }]
  prefixAdvertisements: [{ cidr: 10.244.0.0/16, communities: [pods, '64512:1:2'] }]
`)
  await birdHas(/BGP\.community: \(64512,300\)[\s\S]*BGP\.large_community: \(64512, 1, 2\)/)
  await apply(`
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: { name: default }
spec: { cidr: 10.244.0.0/16, disableBGPExport: true }
`)
  await everyAgent(lab, 'nobody to announce', ({ bgp }) => bgp.originated.length === 0)
  await until(async () => !/BGP\.as_path/.test(await shown()), {
    clock: lab.clock,
    what: 'BIRD to forget',
  })
})

function isUp({ peers }: Awaited<ReturnType<typeof agentStatus>>['bgp']): boolean {
  return peers.some(({ address, state }) => address === BIRD && state === 'established')
}

function shown(): Promise<string> {
  return must(lab, 'router', 'birdc', '-s', '/run/cali/bird.ctl', 'show', 'route', 'all')
}

async function birdHas(what: RegExp): Promise<void> {
  let seen = ''
  await until(
    async () => {
      seen = await shown()
      return what.test(seen)
    },
    { clock: lab.clock, what: `BIRD to have ${what}`, instead: () => seen },
  )
}

/** In the kernel. */
async function hears(node: string, has: readonly string[], lacks: readonly string[]): Promise<void> {
  await until(
    async () => {
      const found = (await lab.routes(node)).map(({ dst }) => dst)
      return has.every(one => found.includes(one)) && !lacks.some(one => found.includes(one))
    },
    { clock: lab.clock, what: `${node} to have ${has} and not ${lacks}` },
  )
}
