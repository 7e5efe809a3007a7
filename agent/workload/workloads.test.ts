/** CNI calls one by one: what each answers, and what it leaves. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatIpv4, type Ipv4 } from '@network/base/net/ipv4.ts'
import { prefix } from '@network/base/net/prefix.ts'
import { silentLog } from '@network/base/run/log.ts'
import { ManualClock } from '@network/base/testing/manual-clock.ts'
import { seededRandom } from '@network/base/testing/seeded-random.ts'
import { millis } from '@network/base/time/units.ts'
import { Ipam } from '@network/datastore/ipam/ipam.ts'
import { ipamUsage } from '@network/datastore/ipam/usage.ts'
import { createOf, listOf } from '@network/datastore/records.ts'
import { impatientClock } from '@network/datastore/testing/impatient-clock.ts'
import { MemoryStore } from '@network/datastore/testing/memory.ts'
import { CNI_ERROR, type CniReply } from '@network/model/cni.ts'
import { IP_POOL } from '@network/model/resources/ip-pool.ts'
import { keyPrefixOf } from '@network/model/resources/kind.ts'
import { WORKLOAD_ENDPOINT } from '@network/model/resources/workload-endpoint.ts'
import { fakeBooks } from '../testing/fake-books.ts'
import { FakePods } from '../testing/fake-pods.ts'
import type { Circumstances } from './readiness.ts'
import { Workloads } from './workloads.ts'

const { signal } = new AbortController()

test('ADD answers with the pod’s interface, its address and its gateway, in the form of its version', async () => {
  const node = await stage()
  const body = bodyOf(await node.call('ADD', 'web'))
  assert.deepEqual(body['ips'], [{ address: '10.0.0.0/32', gateway: '169.254.1.1', interface: 1 }])
  assert.deepEqual(body['routes'], [{ dst: '0.0.0.0/0', gw: '169.254.1.1' }])
  assert.deepEqual(bodyOf(await node.call('ADD', 'old', { cniVersion: '0.4.0' }))['ips'], [
    { version: '4', address: '10.0.0.1/32', gateway: '169.254.1.1', interface: 1 },
  ])
})

test('no pool and a full pool are code 100, each with its mend, and leave nothing', async () => {
  const bare = await stage({ cidr: '' })
  assertFailed(await bare.call('ADD', 'web'), CNI_ERROR.addressesExhausted, /no pool.*calictl ippool create default --cidr/)
  const node = await stage({ cidr: '10.0.0.0/30' })
  for (const pod of ['a', 'b', 'c', 'd']) assert.equal((await node.call('ADD', pod)).exitCode, 0)
  const full = await node.call('ADD', 'e')
  assertFailed(full, CNI_ERROR.addressesExhausted, /no address is free in p; create a further pool, or see .*calictl ipam show/)
  assert.equal((await node.left()).length, 4)
  await node.call('DEL', 'a')
  assert.equal((await node.call('ADD', 'e')).exitCode, 0, 'P0: with one address back, it is served')
})

test('a node that was deleted hands out no addresses; DEL still works', async () => {
  const node = await stage()
  assert.equal((await node.call('ADD', 'web')).exitCode, 0)
  node.circumstances = { registered: false }
  assertFailed(await node.call('ADD', 'other'), CNI_ERROR.tryAgainLater, /node a.*deleted.*restart the agent/)
  assert.equal((await node.call('DEL', 'web')).exitCode, 0)
  assert.deepEqual(await node.left(), [])
})

test('a namespace that is missing is code 3, and the former sandbox of the pod is not touched', async () => {
  const node = await stage()
  await node.call('ADD', 'web')
  const before = await node.left()
  node.pods.missing.add('/run/netns/two')
  assertFailed(await node.call('ADD', 'web', {}, { container: 'two' }), CNI_ERROR.unknownContainer, /\/run\/netns\/two/)
  assert.deepEqual(await node.left(), before)
})

test('a name that no document can have is code 4 before anything is made', async () => {
  const node = await stage()
  const refused = await node.call('ADD', 'web', {}, { ifName: 'Net_1' })
  assertFailed(refused, CNI_ERROR.invalidEnvironment, /metadata\.name/)
  assert.deepEqual(await node.left(), [])
})

test('the caller who leaves in the middle of ADD leaves nothing behind; one who left before his turn changes nothing', async () => {
  const node = await stage()
  const gone = new AbortController()
  node.routed = async () => gone.abort(new Error('the caller went away'))
  assert.equal((await node.call('ADD', 'web', {}, { gone: gone.signal })).exitCode, 1)
  assert.deepEqual(await node.left(), [])
  node.routed = async () => undefined
  await node.call('ADD', 'web')
  const before = await node.left()
  assert.equal((await node.call('ADD', 'web', {}, { gone: gone.signal })).exitCode, 1)
  assert.deepEqual(await node.left(), before)
})

test('a datastore that does not answer is code 11; what could not be undone is undone when it answers', async () => {
  const node = await stage()
  node.routed = async () => {
    node.store.break('gone fishing')
    throw new Error('no route')
  }
  const ending = new AbortController()
  const tidying = node.workloads.keepTidy(ending.signal)
  await node.call('ADD', 'web')
  assert.equal(node.pods.lines.size, 1, 'P0: it is left half done')
  assertFailed(await node.call('ADD', 'other'), CNI_ERROR.tryAgainLater, /gone fishing/)
  assertFailed(await node.call('DEL', 'other'), CNI_ERROR.tryAgainLater, /gone fishing/)
  node.routed = async () => undefined
  node.store.mend()
  while (node.pods.lines.size > 0) {
    node.clock.advance(millis(1000))
    await new Promise(setImmediate)
  }
  assert.deepEqual(await node.left(), [])
  ending.abort()
  await tidying
})

test('after a reboot, journal and pairs are gone: addresses without an endpoint are freed, those with one stay', async () => {
  const node = await stage()
  await node.call('ADD', 'stays')
  await node.ipam.assign({ handle: 'cni.lost.eth0', use: 'shop/lost', signal })
  await node.ipam.assign({ handle: 'tunnel.a', use: 'tunnel', signal })
  node.pods.pairs.clear()
  await node.workloads.tidy(signal)
  const { addresses } = await ipamUsage(node.store, { signal })
  assert.deepEqual(addresses.map(({ handle }) => handle).sort(), ['cni.stays.eth0', 'tunnel.a'])
})

test('while an endpoint cannot be read, no address is freed: it may answer for one', async () => {
  const node = await stage()
  await node.ipam.assign({ handle: 'cni.lost.eth0', use: 'shop/lost', signal })
  await node.store.create(`${keyPrefixOf(WORKLOAD_ENDPOINT.plural)}shop/junk`, { kind: 'nonsense' }, { signal })
  await node.workloads.tidy(signal)
  assert.equal((await ipamUsage(node.store, { signal })).addresses.length, 1)
})

test('CHECK finds what ADD made, and names everything that is otherwise', async () => {
  const node = await stage()
  const prevResult = bodyOf(await node.call('ADD', 'web'))
  const checked = await node.call('CHECK', 'web', { prevResult })
  assert.deepEqual(checked, { exitCode: 0, body: null })
  node.pods.meddled.push('the pod has no default route')
  assertFailed(await node.call('CHECK', 'web', { prevResult }), CNI_ERROR.notAsAdded, /the pod has no default route/)
  node.pods.meddled.length = 0
  const elsewhere = { ...prevResult, ips: [{ address: '10.0.0.9/32', interface: 1 }] }
  assertFailed(
    await node.call('CHECK', 'web', { prevResult: elsewhere }),
    CNI_ERROR.notAsAdded,
    /prevResult gives 10\.0\.0\.9\/32/,
  )
  assertFailed(
    await node.call('CHECK', 'web', { prevResult: { interfaces: [], ips: [] } }),
    CNI_ERROR.notAsAdded,
    /no interface cali.* of the node; .*no interface eth0 in \/run\/netns\/web; .*does not give 10\.0\.0\.0\/32/,
  )
  await node.ipam.release('cni.web.eth0', { signal })
  assertFailed(
    await node.call('CHECK', 'web', { prevResult }),
    CNI_ERROR.notAsAdded,
    /10\.0\.0\.0 is not assigned to container web/,
  )
  assertFailed(
    await node.call('CHECK', 'web', { prevResult }, { container: 'two' }),
    CNI_ERROR.notAsAdded,
    /belongs to container web/,
  )
  assertFailed(await node.call('CHECK', 'nobody', { prevResult }), CNI_ERROR.notAsAdded, /no endpoint/)
})

test('GC removes what the runtime does not name, of its own network only, and never what is just being added', async () => {
  const node = await stage()
  for (const pod of ['stays', 'goes']) await node.call('ADD', pod)
  await node.call('ADD', 'foreign', { name: 'other' })
  const { promise, resolve } = Promise.withResolvers<void>()
  node.routed = () => promise
  const adding = node.call('ADD', 'comes')
  while (!(await node.left()).some(line => line.includes('comes'))) await new Promise(setImmediate)
  node.routed = async () => undefined
  const collecting = node.call('GC', '', { 'cni.dev/valid-attachments': [{ containerID: 'stays', ifname: 'eth0' }] })
  resolve()
  assert.deepEqual([(await collecting).exitCode, (await adding).exitCode], [0, 0])
  assert.deepEqual(
    (await node.left()).map(text => text.split(' ')[0]),
    ['comes', 'foreign', 'stays'],
  )
  assert.equal((await node.call('GC', '', { 'cni.dev/valid-attachments': [] })).exitCode, 0)
  assert.deepEqual(
    (await node.left()).map(text => text.split(' ')[0]),
    ['foreign'],
  )
})

test('GC goes on past what it cannot remove, and tells it', async () => {
  const node = await stage()
  for (const pod of ['stuck', 'goes']) await node.call('ADD', pod)
  const stuck = (await node.left()).find(text => text.startsWith('stuck'))
  node.routed = async address => {
    if (stuck?.includes(formatIpv4(address))) throw new Error('the route stays')
  }
  assertFailed(
    await node.call('GC', '', { 'cni.dev/valid-attachments': [] }),
    CNI_ERROR.internal,
    /network cali: the route stays/,
  )
  node.routed = async () => undefined
  await node.workloads.tidy(signal)
  assert.deepEqual(await node.left(), [])
})

const UNFIT: readonly (readonly [string, Partial<Circumstances>, number, RegExp])[] = [
  ['before the first list', { datastore: inState('connecting') }, CNI_ERROR.notAvailable, /memory: is connecting/],
  ['with a datastore that does not answer', { datastore: inState('stale') }, CNI_ERROR.notAvailable, /memory: is stale/],
  ['without a pool', { pools: new Map() }, CNI_ERROR.notAvailable, /no pool.*/],
  ['of a node that was deleted', { registered: false }, CNI_ERROR.limited, /node a is not in the datastore/],
]
for (const [what, circumstances, code, says] of UNFIT)
  test(`STATUS ${what} is code ${code}; P0: otherwise it is silent`, async () => {
    const node = await stage()
    assert.deepEqual(await node.call('STATUS', ''), { exitCode: 0, body: null })
    node.circumstances = circumstances
    assertFailed(await node.call('STATUS', ''), code, says)
  })

function inState(state: Circumstances['datastore']['state']): Circumstances['datastore'] {
  return { url: 'memory:', state, since: '2026-01-01T00:00:00Z', error: state === 'stale' ? 'no answer' : null }
}

class Stage {
  readonly store = new MemoryStore()
  readonly pods = new FakePods()
  readonly clock = new ManualClock()
  readonly ipam = new Ipam(this.store, 'a', { clock: impatientClock, random: seededRandom(1) })
  routed: (address: Ipv4) => Promise<void> = async () => undefined
  circumstances: Partial<Circumstances> = {}
  readonly workloads = new Workloads({
    node: 'a',
    bookkeeper: fakeBooks({
      ...{ node: 'a', store: this.store, ipam: this.ipam, pods: this.pods, clock: this.clock },
      datastore: () => this.circumstances.datastore ?? inState('in-sync'),
    }).bookkeeper,
    wiring: this.pods.wiring(),
    journal: this.pods.journal(),
    clock: this.clock,
    random: seededRandom(2),
    log: silentLog,
    connections: { beforeUse: async () => undefined, afterUse: () => undefined },
    answered: () => undefined,
    podMtu: () => 1500,
    routed: address => this.routed(address),
    circumstances: () => ({ node: 'a', datastore: inState('in-sync'), pools: POOLS, registered: true, ...this.circumstances }),
  })

  /** The container is called as its pod unless told. */
  call(
    command: string,
    pod: string,
    fields: Readonly<Record<string, unknown>> = {},
    more: { readonly container?: string; readonly ifName?: string; readonly gone?: AbortSignal } = {},
  ): Promise<CniReply> {
    const { container = pod, ifName = 'eth0', gone = signal } = more
    const environment = {
      CNI_COMMAND: command,
      CNI_CONTAINERID: container,
      CNI_IFNAME: ifName,
      CNI_NETNS: `/run/netns/${container}`,
      CNI_ARGS: `K8S_POD_NAMESPACE=shop;K8S_POD_NAME=${pod}`,
    }
    const config = JSON.stringify({ cniVersion: '1.1.0', name: 'cali', type: 'cali', ...fields })
    return this.workloads.serve(JSON.stringify({ environment, config }), gone)
  }

  /** `pod address` of each endpoint, after a look whether addresses, pairs and journal agree. */
  async left(): Promise<string[]> {
    const { read } = await listOf(this.store, WORKLOAD_ENDPOINT, { signal })
    const { addresses } = await ipamUsage(this.store, { signal })
    assert.equal(addresses.length, read.length, 'addresses')
    assert.deepEqual([...this.pods.pairs.keys()].sort(), read.map(({ value }) => value.interfaceName).sort(), 'pairs')
    return read.map(({ value }) => `${value.pod} ${value.addresses.map(formatIpv4)}`).sort()
  }
}

const POOL = {
  name: 'p',
  cidr: prefix('10.0.0.0/30'),
  blockSize: 30,
  ipipMode: 'Never',
  vxlanMode: 'Never',
  natOutgoing: false,
  disabled: false,
} as const
const POOLS = new Map([[POOL.name, POOL]])

async function stage({ cidr = '10.0.0.0/30' }: { readonly cidr?: string } = {}): Promise<Stage> {
  const made = new Stage()
  if (cidr !== '') await createOf(made.store, IP_POOL, { ...POOL, cidr: prefix(cidr) }, { signal })
  return made
}

function bodyOf({ body }: CniReply): Readonly<Record<string, unknown>> {
  assert.ok(body !== null)
  return body
}

function assertFailed({ exitCode, body }: CniReply, code: number, says: RegExp): void {
  assert.equal(exitCode, 1)
  assert.equal(body?.['code'], code, JSON.stringify(body))
  assert.match(String(body['msg']), says)
}
