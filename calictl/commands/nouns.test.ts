/** Nouns with `field=value`, explanations, IPAM's commands, and what agents and reports tell of BGP and of what happened. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { prefix } from '@network/base/net/prefix.ts'
import type { Clock } from '@network/base/time/clock.ts'
import { impatientClock } from '@network/datastore/testing/impatient-clock.ts'
import { IPAM_BLOCK } from '@network/model/resources/ipam-block.ts'
import { NODE_STATUS } from '@network/model/resources/node-status.ts'
import { WORKLOAD_ENDPOINT } from '@network/model/resources/workload-endpoint.ts'
import type { BgpPath } from '@network/model/status.ts'
import { openStage, type Stage } from '../testing/stage.ts'
import { peerOf, statusOf, withPeers } from '../testing/statuses.ts'

async function answers(
  stage: Stage,
  steps: readonly (readonly [line: string | readonly string[], exit: number, says: RegExp])[],
) {
  for (const [line, exit, says] of steps) {
    const ended = await stage.calictl(line)
    assert.equal(ended.exit, exit, `${line}\n${ended.out}\n${ended.err}`)
    assert.match(`${ended.out}\n${ended.err}`, says)
  }
}

test('nouns: created, set by field, by their only name, brought back, deleted', async () => {
  await using stage = await openStage()
  await answers(stage, [
    ['bgp peer create tor peerIP=192.0.2.1 asNumber=64601', 0, /^bgppeer\/tor created/],
    ['bgp peer set asNumber=64602 --dry-run', 0, /^bgppeer\/tor patched \(dry run\)\n {2}spec\.asNumber: 64601 -> 64602/],
    ['bgp peer set ASNUMBER=64602', 0, /spec\.asNumber: 64601 -> 64602/],
    ['bgp peer set tor nodeMode=x', 2, /BGPPeer has no such field; .*nothing was changed/],
    ['bgp peer set tor asNumber=many', 2, /cannot set bgppeer\/tor: spec\.asNumber: /],
    ['bgp peer set tor', 2, /nothing is given to set/],
    ['bgp peer set other asNumber=1', 3, /the bgppeers are tor/],
    ['bgp peer create rr peerIP=192.0.2.2 asNumber=1', 0, /created/],
    ['bgp peer set asNumber=1', 2, /there are several: rr, tor; name one; nothing was changed/],
    ['bgp peer delete tor rr', 0, /bgppeer\/rr deleted/],
    ['bgp config set nodeToNodeMeshEnabled=off', 0, /bgpconfiguration\/default created/],
    ['bgp config set nodeToNodeMeshEnabled=', 0, /spec\.nodeToNodeMeshEnabled: false -> true/],
    [['bgp', 'filter', 'create', 'f', 'exportV4=[{action: Accept, cidr: 10.0.0.0/8, matchOperator: In}]'], 0, /created/],
    ['config set vxlanPort=4790', 0, /agentconfiguration\/default created/],
    ['config list -o yaml', 0, /vxlanPort: 4790/],
    ['ippool create default --cidr 10.1.0.0/16', 0, /created/],
    ['ippool set --vxlan crosssubnet --nat-outgoing --no-wait', 0, /vxlanMode Never -> CrossSubnet, natOutgoing false -> true/],
    ['ippool set --ipip Always --no-wait --dry-run', 0, /spec\.vxlanMode: CrossSubnet -> Never/],
  ])
})

test('explain: kinds, fields, and what was mistyped', async () => {
  await using stage = await openStage()
  await answers(stage, [
    [
      'explain ippool',
      0,
      /^IPPool \(ippools, ipp, pool, pools; for the whole cluster\)\n.*\n[\s\S]*spec\.blockSize +number, 20 to 32 +26/,
    ],
    ['explain pool.blockSize', 0, /^IPPool\.spec\.blockSize: number, 20 to 32\n[\s\S]*Default: 26\n {2}It cannot be changed/],
    ['explain pool.blokSize', 3, /did you mean blockSize|did you mean spec\.blockSize/],
    ['explain pooools', 2, /there is no such kind/],
  ])
})

test('IPAM: an address whose pod is just being started is not leaked, and one that changed hands is not freed', async () => {
  await using stage = await openStage()
  await stage.calictl('ippool create default --cidr 10.1.0.0/16')
  const of = (handle: string) => ({ handle, node: 'a', use: `default/${handle}` })
  const block = { cidr: prefix('10.1.0.0/30'), node: 'a', free: [0] }
  const allocations = new Map([1, 2, 3].map(ordinal => [ordinal, of(`h${ordinal}`)]))
  const key = IPAM_BLOCK.keyOf({ ...block, allocations })
  const created = await stage.store.create(key, IPAM_BLOCK.print({ ...block, allocations }), stage.options)
  assert.ok(created.is === 'written')
  const meanwhile = async () => {
    const pod = {
      namespace: 'default',
      pod: 'h1',
      node: 'a',
      containerId: 'c',
      endpoint: 'eth0',
      interfaceName: 'cali00000000001',
    }
    const value = { ...pod, mac: 'ee:ee:ee:ee:ee:ee', addresses: [ipv4('10.1.0.1')] }
    await stage.store.create(WORKLOAD_ENDPOINT.keyOf(value), WORKLOAD_ENDPOINT.print(value), stage.options)
    const taken = IPAM_BLOCK.print({ ...block, allocations: new Map([...allocations, [2, of('another')]]) })
    await stage.store.update(key, taken, created.revision, stage.options)
  }
  let waited = 0
  const clock: Clock = {
    ...impatientClock,
    wakeAt(_, wake) {
      waited++
      void meanwhile().then(wake)
      return () => undefined
    },
  }
  assert.deepEqual(await stage.calictl('ipam release --leaked', { clock }), { exit: 0, out: '10.1.0.3 released', err: '' })
  assert.equal(waited, 1)
})

test('IPAM: what is leaked is told and released, what is used is not', async () => {
  await using stage = await openStage(impatientClock)
  await stage.calictl('ippool create default --cidr 10.1.0.0/16')
  const block = {
    cidr: prefix('10.1.0.0/31'),
    node: 'a',
    allocations: new Map([[1, { handle: 'h', node: 'a', use: 'default/web' }]]),
    free: [0],
  }
  await answers(stage, [['ipam check', 0, /0 blocks, 0 addresses taken, 0 used: all agree/]])
  await stage.store.create(IPAM_BLOCK.keyOf(block), IPAM_BLOCK.print(block), stage.options)
  await answers(stage, [
    ['ipam check', 1, /leaked +10\.1\.0\.1 +is taken for default\/web on node a, and nobody uses it/],
    ['ipam check', 1, /orphan +10\.1\.0\.0\/31 +belongs to node a, which is not there/],
    ['ipam release --ip 10.1.0.0', 3, /it is free already/],
    ['ipam release --ip ten', 2, /"ten" is not an IPv4 address/],
    ['ipam release', 2, /none is given/],
    ['ipam release --leaked --dry-run', 0, /^10\.1\.0\.1 released \(dry run\)/],
    ['ipam show --ip 10.1.0.1', 0, /belongs to default\/web/],
    ['ipam show --show-blocks', 0, /^BLOCK .*\n10\.1\.0\.0\/31 +default +a /],
    ['ipam release --ip 10.1.0.1', 0, /^10\.1\.0\.1 released/],
    ['ipam show --ip 10.1.0.1', 0, /is free/],
    ['ipam reserve 10.1.0.0/30', 0, /ipreservation\/reserved created/],
    ['ipam reserve 10.1.0.8', 0, /reservedCIDRs: \["10\.1\.0\.0\/30"\] -> \["10\.1\.0\.0\/30","10\.1\.0\.8/],
    ['ipam reserve 10.1.0.8', 0, /^ipreservation\/reserved unchanged\n$/],
    ['ipam reserve nonsense', 2, /spec\.reservedCIDRs\[0\]: "nonsense"/],
    ['ipam configure --strictaffinity false', 0, /ipamconfiguration\/default created/],
    ['ipam configure', 0, /default +false/],
    ['ipam split --into 3', 2, /a power of two/],
    ['ipam split --into 4 --dry-run', 0, /default 10\.1\.0\.0\/18\n {2}default-2 10\.1\.64\.0\/18\n/],
    ['ipam split --into 4', 0, /default-4 10\.1\.192\.0\/18/],
    ['get pools -o jsonpath={.items[*].spec.cidr}', 0, /^10\.1\.0\.0\/18 10\.1\.64\.0\/18 10\.1\.128\.0\/18 10\.1\.192\.0\/18/],
    ['ipam split --into 2', 2, /there are several/],
  ])
})

test('IPAM: a rest of released addresses is stored, and told to do nothing yet', async () => {
  await using stage = await openStage()
  const said = await stage.calictl('ipam configure --ip-cooldown-seconds 60')
  assert.equal(said.exit, 0, said.err)
  assert.match(said.err, /note: ipCooldownSeconds 60 is stored and does nothing yet/)
  assert.doesNotMatch((await stage.calictl('ipam configure --ip-cooldown-seconds 0')).err, /ipCooldownSeconds/, 'P0')
  assert.match((await stage.calictl('explain ipamconfiguration.spec.ipCooldownSeconds')).out, /nothing acts upon it yet/)
})

const PATH: BgpPath = {
  prefix: '10.1.7.0/26',
  from: '172.16.20.12',
  name: 'tor-a',
  nextHop: '172.16.20.12',
  asPath: '64601',
  origin: 'igp',
  localPref: 100,
  med: null,
  communities: ['64601:100'],
  stale: false,
  best: true,
  verdict: 'best',
}

test('BGP: sessions, routes and why, from the agents; sessions of other nodes as they were reported', async () => {
  await using stage = await openStage()
  const lost = { ...PATH, from: '172.16.20.13', name: 'tor-b', best: false, verdict: 'lost by router-id' }
  const down = peerOf('c', { state: 'idle', lastError: 'hold timer expired' })
  await stage.agent('a', () => withPeers('a', [peerOf('b'), down]), { table: () => ({ node: 'a', paths: [PATH, lost] }) })
  const reported = NODE_STATUS.parse({
    apiVersion: 'projectcalico.org/v3',
    kind: 'NodeStatus',
    metadata: { name: 'z' },
    spec: { node: 'z' },
    status: {
      lastUpdated: '2025-12-31T23:00:00Z',
      agent: { state: 'NotReady', version: '0.1.0', startedAt: '2025-12-31T23:00:00Z', problems: ['the disk is full'] },
      bgp: {
        routerID: '172.16.20.99',
        numberEstablishedV4: 1,
        numberNotEstablishedV4: 0,
        settled: true,
        peersV4: [{ peerIP: '172.16.20.11', name: 'a', type: 'NodeMesh', state: 'Established', since: '2025-12-31T23:00:00Z' }],
      },
    },
  })
  assert.ok(reported.ok)
  await stage.store.create(NODE_STATUS.keyOf(reported.value), reported.document, stage.options)
  await answers(stage, [
    ['bgp peers', 0, /a +b +64512 +mesh +Established[\s\S]*a +c .* idle .* hold timer expired[\s\S]*z +a .* Established/],
    ['bgp peers z', 0, /^NODE .*\nz +a /],
    ['bgp routes', 0, /a +10\.1\.7\.0\/26 +172\.16\.20\.12 +tor-a +64601 +100 +- +64601:100\n$/],
    ['bgp routes -o wide', 0, /tor-b .* lost by router-id/],
    ['bgp routes 10.9.0.0/16', 3, /no node that answers has one/],
    [
      'bgp why 10.1.7.5',
      0,
      /a: 10\.1\.7\.0\/26, 2 paths\n \*> via 172\.16\.20\.12 from tor-a, .*: best\n {4}via .* from tor-b, .*: lost by router-id/,
    ],
    ['bgp why web', 2, /give a prefix or an address/],
    ['node status', 0, /z: the disk is full[\s\S]*ELSEWHERE +STATE +VERSION +SESSIONS +REPORTED\nz +NotReady +0\.1\.0 +1\/1 /],
    ['events --type session', 0, /a +Session +c +idle: hold timer expired/],
    ['events --type magic', 2, /write Agent, Session, Repair, Store/],
  ])
})

test('an agent without GET /bgp is told as one of another version', async () => {
  await using stage = await openStage()
  await stage.agent('a', () => statusOf('a'))
  const ended = await stage.calictl('bgp routes')
  assert.equal(ended.exit, 5)
  assert.match(ended.err, /it answered HTTP 404; see that agent and calictl are of the same version/)
})

test('apply --wait shows how nodes reach a pool', async () => {
  await using stage = await openStage()
  await stage.agent('a', () =>
    statusOf('a', { pools: [{ name: 'default', ipipMode: 'Always', vxlanMode: 'Never', natOutgoing: false }] }),
  )
  await stage.calictl('ippool create default --cidr 10.1.0.0/16')
  const ended = await stage.calictl(['patch', 'pool', 'default', '-p', '{"spec": {"ipipMode": "Always"}}', '--wait'])
  assert.equal(ended.exit, 0, ended.err)
  assert.match(ended.err, /^1 of 1: a after \d\.\d s$/m)
})
