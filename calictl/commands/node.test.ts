/** Nodes from the command line: what is stored, what agents tell, and leaving. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { prefix } from '@network/base/net/prefix.ts'
import { ManualClock } from '@network/base/testing/manual-clock.ts'
import { registerNode } from '@network/datastore/nodes.ts'
import { BLOCK_AFFINITY } from '@network/model/resources/block-affinity.ts'
import type { AgentStatus } from '@network/model/status.ts'
import { openStage, type Stage } from '../testing/stage.ts'
import { peerOf, statusOf, withPeers } from '../testing/statuses.ts'

function node(stage: Stage, name: string, address: string) {
  const value = {
    name,
    id: name,
    address: ipv4(address),
    subnetLength: 24,
    asn: undefined,
    tunnelAddress: ipv4('10.244.7.0'),
    vxlanMac: undefined,
  }
  return registerNode(stage.store, value, stage.options)
}

test('get: from the store, sorted as people count', async () => {
  await using stage = await openStage()
  assert.match((await stage.calictl('node get')).out, /^There are no nodes; each machine joins when its cali-agent starts\.$/)
  await node(stage, 'node-10', '172.16.30.10')
  await node(stage, 'node-2', '172.16.20.2')
  const { out, err, exit } = await stage.calictl('node get')
  assert.deepEqual([exit, err], [0, ''])
  assert.deepEqual(out.split('\n'), [
    'NAME     ADDRESS       SUBNET          TUNNEL ADDRESS  AS',
    'node-2   172.16.20.2   172.16.20.0/24  10.244.7.0      default',
    'node-10  172.16.30.10  172.16.30.0/24  10.244.7.0      default',
  ])
  await stage.agent('node-2', () => withPeers('node-2', [peerOf('node-10'), peerOf('x', { state: 'idle' })]))
  const wide = await stage.calictl('node get -o wide')
  assert.deepEqual([wide.exit, wide.err], [0, ''])
  assert.deepEqual(wide.out.split('\n'), [
    'NAME     ADDRESS       SUBNET          TUNNEL ADDRESS  AS       SESSIONS  AGENT  ID',
    'node-2   172.16.20.2   172.16.20.0/24  10.244.7.0      default  1 of 2    0.1.0  node-2',
    'node-10  172.16.30.10  172.16.30.0/24  10.244.7.0      default  -         -      node-10',
  ])
  await stage.deadAgent('node-10')
  const silent = await stage.calictl('node get -o wide')
  assert.equal(silent.exit, 7)
  assert.match(silent.out, /^node-10 .* - +gone +node-10$/m)
  assert.equal((await stage.calictl('node get node-2 -o wide')).exit, 0)
  assert.equal((await stage.calictl('node get')).exit, 0)
  assert.match((await stage.calictl('node get nod-10')).err, /no such node; did you mean node-10\? the nodes are node-2, node-10/)
  assert.equal(JSON.parse((await stage.calictl('node get -o json')).out).kind, 'NodeList')
  assert.equal(JSON.parse((await stage.calictl('node get node-2 -o json')).out).spec.bgp.ipv4Address, '172.16.20.2/24')
  const missing = await stage.calictl('node get node-3')
  assert.deepEqual([missing.exit, missing.out], [3, ''])
  assert.match(missing.err, /there is no such node; the nodes are node-2, node-10/)
})

test('get: a document that cannot be read is named and counts as absent', async () => {
  await using stage = await openStage()
  await stage.store.create('/cali/v1/nodes/x', { apiVersion: 'projectcalico.org/v3', kind: 'Node' }, stage.options)
  const { exit, err } = await stage.calictl('node get')
  assert.equal(exit, 0)
  assert.match(err, /^warning: \/cali\/v1\/nodes\/x cannot be read and counts as absent: metadata is missing; spec is missing$/)
})

test('status: sessions, tunnel, repairs and problems of every agent that answers', async () => {
  await using stage = await openStage(new ManualClock())
  const down = peerOf('c', {
    state: 'Active',
    received: 9,
    accepted: 9,
    advertised: 9,
    stale: 4,
    flaps: 2,
    lastError: 'cannot connect to 172.16.20.12 port 179: connect ECONNREFUSED 172.16.20.12:179 (local, 2025-12-31T23:59:59.000Z)',
  })
  const dropped = { forgedIpip: 3, forgedVxlan: 2, spoofedSource: 0 }
  const repairs = { count: 7, last: [{ at: '2025-12-31T23:59:48.000Z', object: 'route 10.244.9.0/26', found: 'was missing' }] }
  const problems = ['rp_filter of eth0 cannot be set']
  await stage.agent('a', () => ({ ...withPeers('a', [peerOf('b'), down]), repairs, problems }))
  await stage.agent('b', () => ({
    ...withPeers('b', [peerOf('a')]),
    ipip: { supported: false, reason: 'no module ipip', device: null },
    firewall: { active: true, reason: null, dropped },
    converged: false,
  }))
  const { exit, out, err } = await stage.calictl('node status')
  assert.deepEqual([exit, err], [0, ''])
  assert.deepEqual(out.split('\n'), [
    'Not as it should be, 2 agents answer, 2 of 3 sessions established:',
    '  a: session with c (172.16.20.12) is down (active): nobody listens there on port 179; start cali-agent on c; its 4',
    '    routes stay meanwhile',
    '  b: not all that is wanted is in its kernel yet',
    '  a: rp_filter of eth0 cannot be set',
    '',
    'NODE  ADDRESS       UP  SESSIONS  STORE    TUNNEL       ROUTES  PODS  REPAIRS  KERNEL',
    'a     172.16.20.11  1h  1/2       in-sync  10.244.7.0   0       0     7        converged',
    'b     172.16.20.11  1h  1/1       in-sync  unsupported  0       0     0        working',
    '',
    'NODE  PEER  ADDRESS       AS     STATE        SINCE  RCVD  ACPT  ADV  FLAPS',
    'a     b     172.16.20.12  64512  Established  3m     2     1     3    0',
    'a     c     172.16.20.12  64512  Active       3m     -     -     -    2',
    'b     a     172.16.20.12  64512  Established  3m     2     1     3    0',
    '',
    'Dropped by the firewall:',
    '  b: 3 packets of forged IPIP, 2 of forged VXLAN, 0 of pods with a source not theirs',
    '',
    'Repairs, the newest of each node first:',
    '  a, 12s ago: route 10.244.9.0/26: was missing',
    '  a: … and 6 before',
  ])
  const wide = (await stage.calictl('node status -o wide')).out.split('\n')
  for (const line of [
    '  a: session with c (172.16.20.12) is down (active): nobody listens there on port 179; start cali-agent on c; its 4 routes stay meanwhile',
    'NODE  ADDRESS          FROM           AS     UP  VERSION  SESSIONS  STORE           TUNNEL                       ROUTES  PODS  REPAIRS  KERNEL     ID',
    'b     172.16.20.11/24  default route  64512  1h  0.1.0    1/1       in-sync 59m59s  unsupported: no module ipip  0       0     0        working    id-of-b',
    'NODE  PEER  ADDRESS       AS     TYPE  STATE        SINCE  RCVD  ACPT  ADV  STALE  FLAPS  LAST ERROR',
    `a     c     172.16.20.12  64512  mesh  Active       3m     -     -     -    4      2      ${down.lastError}`,
  ])
    assert.ok(wide.includes(line), `${line}\n is not in\n${wide.join('\n')}`)
})

test('status: all well is said in one line, before the tables', async () => {
  await using stage = await openStage()
  await stage.agent('a', () => withPeers('a', [peerOf('b')]))
  await stage.agent('b', () => withPeers('b', [peerOf('a')]))
  assert.match((await stage.calictl('node status')).out, /^All is well: 2 agents answer, 2 of 2 sessions established\n\nNODE /)
  const alone = (await stage.calictl('node status a')).out
  assert.match(alone, /^All is well: 1 agent answers, 1 of 1 sessions established\n/)
})

test('status: nodes that suffer alike share a line, and of many alike only a few are shown', async () => {
  await using stage = await openStage()
  const down = peerOf('c', { state: 'active', lastError: 'connect EHOSTUNREACH (local, 2026-01-01T00:00:00.000Z)' })
  const problems = Array.from({ length: 9 }, (_, n) => `10.244.${n}.0/26: sent plain to 172.16.20.1`)
  await stage.agent('a', () => ({ ...withPeers('a', [down]), problems: [...problems, 'tunl0 is gone'] }))
  await stage.agent('b', () => withPeers('b', [{ ...down, lastError: down.lastError?.replace('00:00:00', '00:00:09') ?? null }]))
  await stage.deadAgent('d')
  const { exit, out, err } = await stage.calictl('node status')
  assert.deepEqual([exit, err], [7, ''])
  assert.deepEqual(out.split('\n\n')[0]?.split('\n'), [
    'Not as it should be, 2 agents answer, 0 of 2 sessions established:',
    '  d: no answer from its agent: nobody listens on its socket; start cali-agent there; its routes stay in the kernel',
    '    meanwhile',
    '  a, b: session with c (172.16.20.12) is down (active): it does not answer; see that c is up and that nothing on the way',
    '    drops TCP port 179',
    '  a: 10.244.0.0/26: sent plain to 172.16.20.1',
    '  a: 10.244.1.0/26: sent plain to 172.16.20.1',
    '  a: 10.244.2.0/26: sent plain to 172.16.20.1',
    '  … and 6 more like these: calictl node status -o wide',
    '  a: tunl0 is gone',
  ])
  for (const line of ['node status -o wide', 'node status a'])
    assert.match((await stage.calictl(line)).out, /10\.244\.8\.0\/26: sent plain/)
})

test('status: a large cluster in 120 columns, its sessions that are up left out', async () => {
  await using stage = await openStage()
  const name = (n: number) => `worker-rack7-${String(n).padStart(3, '0')}`
  const problem = `10.244.100.192/26: node ${name(9)} is on another subnet and pool default has ipipMode Never: ${'so it goes '.repeat(9)}`
  for (const n of [1, 2]) {
    const peers = Array.from({ length: 40 }, (_, at) => peerOf(name(at), { address: '172.116.120.112' }))
    const one = peerOf(name(77), { address: '172.116.120.113', state: 'open-confirm', lastError: 'hold timer expired' })
    const device = { name: 'tunl0', address: '10.244.178.192/32', mtu: 1480, up: false }
    const well = withPeers(name(n), [...peers, one])
    await stage.agent(name(n), () => ({
      ...well,
      address: '172.116.120.111/24',
      ipip: { ...well.ipip, device },
      datastore: { ...well.datastore, state: 'connecting', since: '2020-01-01T00:00:00Z' },
      problems: [problem],
    }))
  }
  const { out } = await stage.calictl('node status')
  const long = out.split('\n').filter(line => line.length > 120)
  assert.deepEqual(long, [])
  assert.equal((out.match(/open-confirm {2}/g) ?? []).length, 2)
  assert.doesNotMatch(out, /Established/)
  assert.match(out, /^80 established sessions are left out: calictl node status -o wide shows all/m)
  assert.equal(((await stage.calictl(`node status ${name(1)}`)).out.match(/Established/g) ?? []).length, 40)
})

test('status: one node, and as data with the times as they are', async () => {
  await using stage = await openStage()
  await stage.agent('a', () => withPeers('a', [peerOf('b')]))
  await stage.agent('b', () => statusOf('b'))
  assert.doesNotMatch((await stage.calictl('node status a')).out, /^b /m)
  const { kind, items, silent } = JSON.parse((await stage.calictl('node status a -o json')).out)
  assert.deepEqual([kind, items.length, silent], ['NodeStatusList', 1, []])
  assert.deepEqual(items[0], withPeers('a', [peerOf('b')]))
})

test('status: 7 when some are silent, 5 when nobody answers', async () => {
  await using stage = await openStage()
  const nobody = await stage.calictl('node status')
  assert.equal(nobody.exit, 5)
  assert.match(nobody.err, /^error: cannot ask any agent: there is no socket in \S+; start cali-agent, or say with --run-dir/)
  const nowhere = await stage.calictl(`node status --run-dir ${stage.directory}/none`)
  assert.equal(nowhere.exit, 5)
  assert.match(nowhere.err, /none does not exist; start cali-agent/)
  const file = await stage.calictl('node status --run-dir /etc/passwd')
  assert.deepEqual(
    [file.exit, file.err],
    [
      5,
      'error: cannot ask any agent: /etc/passwd is not a directory; start cali-agent, or say with --run-dir where its socket lies',
    ],
  )
  await stage.deadAgent('b')
  await stage.deadAgent('c')
  const dead = await stage.calictl('node status')
  assert.equal(dead.exit, 5)
  assert.match(
    dead.err,
    /note: no answer from the agents of b \(.*b\.sock\), c \(.*c\.sock\): nobody listens on its socket; start cali-agent there/,
  )
  await stage.agent('a', () => statusOf('a'))
  const some = await stage.calictl('node status -o json')
  assert.equal(some.exit, 7)
  assert.deepEqual(
    JSON.parse(some.out).silent.map(({ node, why }: { node: string; why: string }) => [node, why]),
    [
      ['b', 'gone'],
      ['c', 'gone'],
    ],
  )
  const one = await stage.calictl('node status a')
  assert.deepEqual([one.exit, one.err], [0, ''])
  const named = await stage.calictl('node status b')
  assert.equal(named.exit, 5)
  assert.match(named.err, /^error: cannot ask the agent of node b: nobody listens on its socket; start cali-agent there/)
  const unknown = await stage.calictl('node status z')
  assert.equal(unknown.exit, 5)
  assert.match(unknown.err, /cannot ask the agent of node z: it has no socket in \S+; agents that answer here: a/)
})

test('status: an answer that is no status is told as such', async () => {
  await using stage = await openStage()
  await stage.agent('a', () => '<html>')
  await stage.agent('b', () => '{"node":"b","id":"1"}')
  const { exit, err } = await stage.calictl('node status')
  assert.equal(exit, 5)
  assert.match(err, /agent of a .*: its answer is no JSON; see that agent and calictl are of the same version/)
  assert.match(err, /agent of b .*: its status lacks version/)
})

const CHECKS: readonly (readonly [string, AgentStatus, number, string])[] = [
  ['all well', withPeers('a', [peerOf('b')]), 0, ''],
  [
    'a session down',
    withPeers('a', [peerOf('b', { state: 'Idle', lastError: 'hold timer expired' })]),
    1,
    'check: node a: session with b (172.16.20.12) is down (idle): hold timer expired',
  ],
  ['a problem', statusOf('a', { problems: ['tunl0 is gone'] }), 1, 'check: node a: tunl0 is gone'],
  ['a kernel behind', statusOf('a', { converged: false }), 1, 'check: node a: not all that is wanted is in its kernel yet'],
  [
    'a stale store',
    statusOf('a', { datastore: { url: 'sqlite:/x', state: 'stale', since: '2025-12-31T23:00:00Z', error: null } }),
    1,
    'check: node a: its datastore sqlite:/x is stale since 2025-12-31T23:00:00Z; traffic goes on as it was',
  ],
  [
    'a stale store that is to be told something',
    statusOf('a', {
      datastore: { url: 'etcd://x', state: 'stale', since: '2025-12-31T23:00:00Z', error: 'no answer' },
      books: { unwritten: 2, notices: [] },
    }),
    1,
    'check: node a: its datastore etcd://x is stale since 2025-12-31T23:00:00Z: no answer; traffic goes on as it was; 2 endpoints not yet written to it',
  ],
]

for (const [name, status, exit, says] of CHECKS)
  test(`status --check: ${name}`, async () => {
    await using stage = await openStage()
    await stage.agent('a', () => status)
    const ended = await stage.calictl('node status --check -o json')
    assert.deepEqual([ended.exit, ended.err], [exit, says])
    const people = await stage.calictl('node status --check -o wide')
    assert.deepEqual([people.exit, people.err], [exit, ''])
    assert.ok(people.out.includes(says.replace('check: node ', '\n  ')), people.out)
    assert.equal((await stage.calictl('node status')).exit, 0)
  })

test('delete: a node with all that it had', async () => {
  await using stage = await openStage()
  await node(stage, 'a', '172.16.20.11')
  await stage.deadAgent('a')
  const affinity = { block: prefix('10.244.7.0/26'), node: 'a', state: 'pending' as const }
  await stage.store.create(BLOCK_AFFINITY.keyOf(affinity), BLOCK_AFFINITY.print(affinity), stage.options)
  assert.deepEqual(await stage.calictl('node delete a'), {
    exit: 0,
    out: 'node a deleted: 0 blocks, 0 addresses and 0 pods went with it',
    err: '',
  })
  const again = await stage.calictl('node delete a')
  assert.equal(again.exit, 3)
  assert.match(again.err, /cannot delete node a: there is no such node; there are no nodes at all/)
})

test('delete: refused while its agent answers, unless forced', async () => {
  await using stage = await openStage()
  await node(stage, 'a', '172.16.20.11')
  await stage.agent('a', () => statusOf('a'))
  const refused = await stage.calictl('node delete a')
  assert.equal(refused.exit, 4)
  assert.match(
    refused.err,
    /cannot delete node a: its agent is at work; stop cali-agent on that node first, or add --force; nothing was changed/,
  )
  const verb = await stage.calictl('delete node a')
  assert.equal(verb.exit, 4)
  assert.match(verb.err, /its agent is at work; .* or use calictl node delete a --force; nothing was changed/)
  assert.equal((await stage.calictl('node get a')).exit, 0)
  assert.equal((await stage.calictl('node delete a --force')).exit, 0)
  assert.equal((await stage.calictl('node get a')).exit, 3)
})

test('delete: refused by either way of saying it where the agent may be at work and does not answer', async () => {
  await using stage = await openStage()
  await node(stage, 'a', '172.16.20.11')
  await stage.agent('a', () => 'no status')
  for (const line of ['node delete a', 'delete node a']) {
    const refused = await stage.calictl(line)
    assert.deepEqual([line, refused.exit], [line, 4])
    assert.match(refused.err, /cannot delete node a: its agent may be at work: /)
  }
  assert.equal((await stage.calictl('node get a')).exit, 0)
})

test('delete: a node without socket here goes, with a word of caution', async () => {
  await using stage = await openStage()
  await node(stage, 'a', '172.16.20.11')
  const { exit, err } = await stage.calictl('node delete a')
  assert.equal(exit, 0)
  assert.match(err, /note: node a has no socket in \S+; see that its cali-agent is stopped, or it will come back/)
})
