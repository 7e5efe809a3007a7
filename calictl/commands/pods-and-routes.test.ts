/** Pods, and the routes that carry packets to them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { WORKLOAD_ENDPOINT } from '@network/model/resources/workload-endpoint.ts'
import { openStage, type Stage } from '../testing/stage.ts'
import { routeOf, statusOf } from '../testing/statuses.ts'

async function pod(stage: Stage, name: string, address: string, node: string): Promise<string> {
  const interfaceName = `cali${ipv4(address).toString(16).padStart(11, '0')}`
  const endpoint = {
    node,
    namespace: 'default',
    pod: name,
    containerId: `id-${name}`,
    endpoint: 'eth0',
    interfaceName,
    mac: 'ee:ee:ee:ee:ee:ee',
    addresses: [ipv4(address)],
  }
  await stage.store.create(WORKLOAD_ENDPOINT.keyOf(endpoint), WORKLOAD_ENDPOINT.print(endpoint), stage.options)
  return interfaceName
}

test('workload get: with the presence that the agent of the pod sees', async () => {
  await using stage = await openStage()
  assert.match((await stage.calictl('workload get')).out, /^There are no pods; the CNI plugin makes one/)
  const web = await pod(stage, 'web-1', '10.244.7.5', 'a')
  const job = await pod(stage, 'a-job', '10.244.7.6', 'a')
  await pod(stage, 'database', '10.244.9.1', 'b')
  await stage.agent('a', () => {
    const seen = { namespace: 'default', address: '-' }
    return statusOf('a', {
      workloads: [
        { ...seen, pod: 'web-1', interfaceName: web, interfacePresent: true, interfaceIndex: 7, podInterfaceIndex: 2 },
        { ...seen, pod: 'a-job', interfaceName: job, interfacePresent: false, interfaceIndex: null, podInterfaceIndex: null },
      ],
    })
  })
  const { exit, out, err } = await stage.calictl('workload get')
  assert.equal(exit, 0)
  assert.match(err, /^warning: default\/a-job: cali0000af40706 is missing on node a; delete the pod/)
  assert.deepEqual(out.split('\n'), [
    'NAMESPACE  POD       NODE  ADDRESS     INTERFACE        PRESENT',
    'default    a-job     a     10.244.7.6  cali0000af40706  no',
    'default    database  b     10.244.9.1  cali0000af40901  unknown',
    'default    web-1     a     10.244.7.5  cali0000af40705  yes',
  ])
  assert.deepEqual((await stage.calictl('workload get web-1 -o wide')).out.split('\n'), [
    'NAMESPACE  POD    NODE  ADDRESS     INTERFACE        PRESENT  IFINDEX  IN POD  POD IFINDEX  MAC                NETWORK  CONTAINER',
    'default    web-1  a     10.244.7.5  cali0000af40705  yes      7        eth0    2            ee:ee:ee:ee:ee:ee  -        id-web-1',
  ])
  assert.match((await stage.calictl('workload get database -o wide')).out, /unknown {2}- +eth0 {4}- +ee:/)
})

test('workload get: one pod, by either name; a missing interface is told with the mend', async () => {
  await using stage = await openStage()
  const interfaceName = await pod(stage, 'web-1', '10.244.7.5', 'a')
  const gone = { interfacePresent: false, interfaceIndex: null, podInterfaceIndex: null }
  const seen = { namespace: 'default', pod: 'web-1', address: '10.244.7.5', interfaceName, ...gone }
  await stage.agent('a', () => statusOf('a', { workloads: [seen] }))
  for (const name of ['web-1', 'default/web-1']) {
    const { exit, out, err } = await stage.calictl(`workload get ${name} -o json`)
    assert.equal(exit, 0)
    assert.match(err, /^warning: default\/web-1: cali\S+ is missing on node a; delete the pod/)
    const { kind, spec, status } = JSON.parse(out)
    assert.deepEqual([kind, spec.pod, status], ['WorkloadEndpoint', 'web-1', gone])
  }
  const missing = await stage.calictl('workload get web-2')
  assert.equal(missing.exit, 3)
  assert.match(missing.err, /cannot find pod web-2: there is no such pod; the pods are default\/web-1/)
  const mistyped = await stage.calictl('workload get wbe-1')
  assert.match(mistyped.err, /there is no such pod; did you mean web-1\? the pods are default\/web-1/)
})

const OWN = routeOf('10.244.7.0/26', { kind: 'block', carriage: null, text: 'blackhole 10.244.7.0/26', why: 'own block' })
const POD = routeOf('10.244.7.5/32', { kind: 'workload', carriage: null, text: '10.244.7.5 dev cali1', why: 'pod default/web-1' })
const FAR = routeOf('10.244.7.0/26')
const FAILED = routeOf('10.244.9.0/26', { state: 'failed', problem: 'Network is unreachable' })

async function twoNodes(stage: Stage): Promise<void> {
  await stage.agent('a', () => statusOf('a', { routes: [OWN, POD] }))
  await stage.agent('c', () => statusOf('c', { routes: [FAR, FAILED] }))
}

const FOUND: readonly (readonly [string, readonly string[]])[] = [
  ['10.244.7.5', ['a 10.244.7.5/32', 'c 10.244.7.0/26']],
  ['10.244.7.6', ['a 10.244.7.0/26', 'c 10.244.7.0/26']],
  ['10.244.7.0/26', ['a 10.244.7.0/26', 'c 10.244.7.0/26']],
  ['10.244.0.0/16', ['a 10.244.7.0/26', 'a 10.244.7.5/32', 'c 10.244.7.0/26', 'c 10.244.9.0/26']],
  ['10.244.9.1', ['a -', 'c 10.244.9.0/26']],
  ['web-1', ['a 10.244.7.5/32', 'c 10.244.7.0/26']],
  ['10.244.7.5 --node c', ['c 10.244.7.0/26']],
  ['', ['a 10.244.7.0/26', 'a 10.244.7.5/32', 'c 10.244.7.0/26', 'c 10.244.9.0/26']],
]

test('route get: the longest match of each node', async t => {
  await using stage = await openStage()
  await twoNodes(stage)
  await pod(stage, 'web-1', '10.244.7.5', 'a')
  for (const [to, expected] of FOUND)
    await t.test(`to ${to}`, async () => {
      const { exit, out, err } = await stage.calictl(`route get ${to} -o json`)
      assert.deepEqual([exit, err], [0, ''])
      const items: { node: string; route: { destination: string } | null }[] = JSON.parse(out).items
      assert.deepEqual(
        items.map(({ node, route }) => `${node} ${route?.destination ?? '-'}`),
        expected,
      )
    })
})

test('workload get: 7 when an agent is silent, for what it knows is missing', async () => {
  await using stage = await openStage()
  await pod(stage, 'web-1', '10.244.7.5', 'a')
  assert.equal((await stage.calictl('workload get')).exit, 0)
  await stage.deadAgent('a')
  const { exit, out, err } = await stage.calictl('workload get')
  assert.equal(exit, 7)
  assert.match(out, /web-1 +a +10\.244\.7\.5 +cali\S+ +unknown/)
  assert.match(err, /note: no answer from the agent of a/)
})

test('route get: for people', async () => {
  await using stage = await openStage()
  await twoNodes(stage)
  assert.deepEqual((await stage.calictl('route get 10.244.9.1')).out.split('\n'), [
    'NODE  ROUTE                                                                 CARRIAGE  STATE   WHY',
    "a     no route of Cali's to 10.244.9.1                                      -         -       -",
    'c     10.244.9.0/26 via 172.16.30.13 dev tunl0 proto 80 metric 1024 onlink  ipip      failed  block of node c, on another subnet; Network is unreachable',
  ])
  assert.deepEqual((await stage.calictl('route get 10.244.9.1 --node c -o wide')).out.split('\n'), [
    'NODE  ROUTE                                                                 CARRIAGE  STATE   KIND    TO NODE  GATEWAY       DEVICE  WHY',
    'c     10.244.9.0/26 via 172.16.30.13 dev tunl0 proto 80 metric 1024 onlink  ipip      failed  remote  c        172.16.30.13  tunl0   block of node c, on another subnet; Network is unreachable',
  ])
})

const REFUSED: readonly (readonly [string, number, RegExp])[] = [
  ['route get 10.9.9.9', 3, /none of Cali's routes on a, c leads there; the kernel decides by its other routes/],
  ['route get web-9', 3, /cannot find pod web-9/],
  ['route get 10.244.7.5/24', 2, /host bits set in 10\.244\.7\.5\/24: write 10\.244\.7\.0\/24/],
  ['route get 10.244.7.5 --node z', 5, /the agent of node z: it has no socket in \S+; agents that answer here: a, c/],
]

test('route get: what cannot be answered', async () => {
  await using stage = await openStage()
  await twoNodes(stage)
  for (const [line, exit, says] of REFUSED) {
    const ended = await stage.calictl(line)
    assert.match(ended.err, says)
    assert.deepEqual([ended.exit, ended.out], [exit, ''])
  }
  await stage.deadAgent('d')
  assert.equal((await stage.calictl('route get 10.244.7.5')).exit, 7)
  assert.equal((await stage.calictl('route get 10.244.7.5 --node a')).exit, 0)
})
