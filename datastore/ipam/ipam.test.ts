/** One node after the other: what is given, what is refused, what is given back. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatIpv4, ipv4 } from '@network/base/net/ipv4.ts'
import { formatPrefix, prefix } from '@network/base/net/prefix.ts'
import { seededRandom } from '@network/base/testing/seeded-random.ts'
import { affinityKey, BLOCK_AFFINITY } from '@network/model/resources/block-affinity.ts'
import { poolKey } from '@network/model/resources/ip-pool.ts'
import { IPAM_BLOCK, ipamBlockKey } from '@network/model/resources/ipam-block.ts'
import { isRecord } from '@network/model/resources/kind.ts'
import { createPool, setPool } from '../pools.ts'
import type { Datastore } from '../port.ts'
import { createOf, getOf, updateOf } from '../records.ts'
import { impatientClock } from '../testing/impatient-clock.ts'
import { MemoryStore } from '../testing/memory.ts'
import { emptyBlock } from './blocks.ts'
import { type Assignment, Ipam } from './ipam.ts'
import { ipamUsage, whoHas } from './usage.ts'

const { signal } = new AbortController()
const options = { signal }

test('a node takes from its own block, another from its own', async () => {
  const store = await withPools('10.244.0.0/16 26')
  const [a, b] = [ipamOf(store, 'a'), ipamOf(store, 'b')]
  const [first, second, other] = [await take(a, 'h1'), await take(a, 'h2'), await take(b, 'h3')]
  assert.equal(first.is === 'assigned' && first.pool, 'pool-0')
  assert.equal(blockOf(first), blockOf(second))
  assert.notEqual(blockOf(first), blockOf(other))
  assert.notEqual(addressOf(first), addressOf(second))
})

test('the same handle gets its address again, after a new start too', async () => {
  const store = await withPools('10.244.0.0/16 26')
  const first = await take(ipamOf(store, 'a'), 'h1')
  assert.deepEqual(await take(ipamOf(store, 'a'), 'h1'), first)
  assert.equal((await ipamUsage(store, options)).addresses.length, 1)
})

test('a full block is followed by another, a full pool by the next, and then it says which are full', async () => {
  const store = await withPools('10.0.0.0/30 31', '10.1.0.0/31 31')
  const ipam = ipamOf(store, 'a')
  const given: string[] = []
  for (const handle of ['1', '2', '3', '4', '5', '6']) given.push(addressOf(await take(ipam, handle)))
  assert.deepEqual(given.toSorted(), ['10.0.0.0', '10.0.0.1', '10.0.0.2', '10.0.0.3', '10.1.0.0', '10.1.0.1'])
  assert.ok(given.slice(4).every(address => address.startsWith('10.1.')))
  assert.deepEqual(await take(ipam, '7'), { is: 'pools-full', pools: ['pool-0', 'pool-1'] })
})

test('another node’s free addresses are not touched', async () => {
  const store = await withPools('10.0.0.0/31 31')
  assert.equal((await take(ipamOf(store, 'a'), '1')).is, 'assigned')
  assert.deepEqual(await take(ipamOf(store, 'b'), '2'), { is: 'pools-full', pools: ['pool-0'] })
})

test('without a pool, or with disabled ones only, there is no address; what was given is still found', async () => {
  const store = await withPools()
  const ipam = ipamOf(store, 'a')
  assert.deepEqual(await take(ipam, '1'), { is: 'no-pool' })
  await addPool(store, 'p', '10.0.0.0/24', 26)
  const first = await take(ipam, '1')
  await setPool(store, 'p', { disabled: true }, options)
  assert.deepEqual(await take(ipam, '2'), { is: 'no-pool' })
  assert.deepEqual(await take(ipam, '1'), first)
})

test('what somebody else wrote beside a block and its affinity stays through giving out, taking back and mending', async () => {
  const store = await withPools('10.244.0.0/16 26')
  const ipam = ipamOf(store, 'a')
  await take(ipam, 'h1')
  const { cidr } = (await ipamUsage(store, options)).blocks[0] ?? assert.fail('there is no block')
  const mark = async (key: string) => {
    const entry = (await store.get(key, options)) ?? assert.fail(`there is no ${key}`)
    assert.ok(isRecord(entry.document) && isRecord(entry.document['metadata']))
    const metadata = { ...entry.document['metadata'], labels: { rack: 'r1' } }
    await store.update(key, { ...entry.document, metadata }, entry.revision, options)
  }
  const keys = [affinityKey(cidr), ipamBlockKey(cidr)]
  for (const key of keys) await mark(key)
  await take(ipam, 'h2')
  await ipam.release('h1', options)
  const affinity = (await getOf(store, BLOCK_AFFINITY, affinityKey(cidr), options)) ?? assert.fail('there is no affinity')
  const pending = { ...affinity, value: { ...affinity.value, state: 'pending' as const } }
  await updateOf(store, BLOCK_AFFINITY, pending, options)
  await take(ipam, 'h3')
  for (const key of keys) {
    const document = (await store.get(key, options))?.document
    assert.ok(isRecord(document) && isRecord(document['metadata']))
    assert.deepEqual([key, document['metadata']['labels']], [key, { rack: 'r1' }])
  }
  assert.equal((await getOf(store, BLOCK_AFFINITY, affinityKey(cidr), options))?.value.state, 'confirmed')
})

test('the last address given back takes the block with it, affinity and all', async () => {
  const store = await withPools('10.244.0.0/16 26')
  const ipam = ipamOf(store, 'a')
  const [first, second] = [await take(ipam, 'h1'), await take(ipam, 'h2')]
  assert.deepEqual((await ipam.release('h1', options)).map(formatIpv4), [addressOf(first)])
  assert.equal((await ipamUsage(store, options)).blocks[0]?.used, 1)
  assert.deepEqual((await ipam.release('h2', options)).map(formatIpv4), [addressOf(second)])
  assert.deepEqual([...store.entries.keys()], [poolKey('pool-0')])
  assert.deepEqual(await ipam.release('h2', options), [])
})

test('what nobody answers for is freed, the rest stays', async () => {
  const store = await withPools('10.244.0.0/16 26')
  const ipam = ipamOf(store, 'a')
  for (const handle of ['tunnel', 'pod', 'lost']) await take(ipam, handle)
  const freed = await ipam.releaseUnused(new Set(['tunnel', 'pod']), options)
  assert.deepEqual(
    freed.map(({ handle, use }) => [handle, use]),
    [['lost', 'test/lost']],
  )
  assert.deepEqual((await ipamUsage(store, options)).addresses.map(({ handle }) => handle).toSorted(), ['pod', 'tunnel'])
})

const CRASHES: readonly (readonly [string, (store: Datastore) => Promise<unknown>])[] = [
  ['after the claim', store => affinity(store, '10.0.0.0/31', 'a', 'pending')],
  [
    'after the block',
    async store => [await affinity(store, '10.0.0.0/31', 'a', 'pending'), await block(store, '10.0.0.0/31', 'a')],
  ],
  ['with the claim lost and the block made', store => block(store, '10.0.0.0/31', 'a')],
  [
    'with the claim taken over and the block made',
    async store => [await affinity(store, '10.0.0.0/31', 'gone', 'pending'), await block(store, '10.0.0.0/31', 'a')],
  ],
]
for (const [when, crash] of CRASHES)
  test(`a node that crashed ${when} goes on`, async () => {
    const store = await withPools('10.0.0.0/31 31')
    await crash(store)
    const assigned = await take(ipamOf(store, 'a'), '1')
    assert.equal(blockOf(assigned), '10.0.0.0/31')
    assert.equal((await ipamUsage(store, options)).blocks[0]?.affinity, 'confirmed')
  })

test('a claim without block is taken over, but only when nothing else is left', async () => {
  const store = await withPools('10.0.0.0/30 31')
  const gone = prefix('10.0.0.0/31')
  await affinity(store, formatPrefix(gone), 'gone', 'pending')
  const ipam = ipamOf(store, 'a')
  assert.equal(blockOf(await take(ipam, '1')), '10.0.0.2/31')
  await take(ipam, '2')
  assert.equal(blockOf(await take(ipam, '3')), '10.0.0.0/31')
  assert.ok([...store.entries.values()].every(({ document }) => !JSON.stringify(document).includes('gone')))
})

test('a crashed claim of a node that has the block is left to it', async () => {
  const store = await withPools('10.0.0.0/31 31')
  await block(store, '10.0.0.0/31', 'b')
  assert.equal((await take(ipamOf(store, 'a'), '1')).is, 'pools-full')
  const left = BLOCK_AFFINITY.parse(store.entries.get(affinityKey(prefix('10.0.0.0/31')))?.document)
  assert.deepEqual(left.ok && left.value, { block: prefix('10.0.0.0/31'), node: 'b', state: 'pending' })
  assert.equal(blockOf(await take(ipamOf(store, 'b'), '2')), '10.0.0.0/31')
})

test('a document that cannot be read costs its block, not the node', async () => {
  const store = await withPools('10.0.0.0/30 31')
  await store.create(affinityKey(prefix('10.0.0.0/31')), { kind: 'nonsense' }, options)
  const ipam = ipamOf(store, 'a')
  assert.equal(blockOf(await take(ipam, '1')), '10.0.0.2/31')
  await take(ipam, '2')
  assert.equal((await take(ipam, '3')).is, 'pools-full')
  assert.equal((await ipamUsage(store, options)).junk.length, 1)
})

test('who has an address', async () => {
  const store = await withPools('10.0.0.0/30 31')
  await take(ipamOf(store, 'a'), '1')
  const usage = await ipamUsage(store, options)
  const { cidr } = usage.blocks[0] ?? { cidr: prefix('0.0.0.0/0') }
  const [first, second] = cidr.address === ipv4('10.0.0.0') ? ['10.0.0.0', '10.0.0.1'] : ['10.0.0.2', '10.0.0.3']
  const other = cidr.address === ipv4('10.0.0.0') ? '10.0.0.2' : '10.0.0.0'
  const used = whoHas(usage, ipv4(first))
  assert.ok(used.is === 'used')
  assert.deepEqual([used.by.node, used.by.handle, used.by.use, used.by.pool], ['a', '1', 'test/1', 'pool-0'])
  assert.equal(whoHas(usage, ipv4(second)).is, 'free')
  assert.deepEqual(whoHas(usage, ipv4(other)), { is: 'unclaimed', pool: 'pool-0' })
  assert.deepEqual(whoHas(usage, ipv4('10.9.0.0')), { is: 'in-no-pool' })
  assert.deepEqual(
    usage.pools.map(({ size, used, free, blocks, blocksOfAll }) => [size, used, free, blocks, blocksOfAll]),
    [[4, 1, 3, 1, 2]],
  )
})

test('who waits may give up, and the next one is served', async () => {
  const store = await withPools('10.0.0.0/24 26')
  const ipam = ipamOf(store, 'a')
  const giving = new AbortController()
  const first = ipam.assign({ handle: '1', use: 'test', signal })
  const second = ipam.assign({ handle: '2', use: 'test', signal: giving.signal })
  const third = ipam.assign({ handle: '3', use: 'test', signal })
  giving.abort(new Error('enough'))
  await assert.rejects(second, /enough/)
  assert.equal((await first).is, 'assigned')
  assert.equal((await third).is, 'assigned')
  assert.equal((await ipamUsage(store, options)).addresses.length, 2)
})

async function withPools(...ranges: readonly string[]): Promise<MemoryStore> {
  const store = new MemoryStore()
  for (const [n, range] of ranges.entries()) {
    const [cidr, blockSize] = range.split(' ')
    await addPool(store, `pool-${n}`, String(cidr), Number(blockSize))
  }
  return store
}

async function addPool(store: Datastore, name: string, cidr: string, blockSize: number): Promise<void> {
  const created = await createPool(
    store,
    { name, cidr: prefix(cidr), blockSize, ipipMode: 'Never', vxlanMode: 'Never', natOutgoing: false, disabled: false },
    options,
  )
  assert.equal(created.is, 'created')
}

function ipamOf(store: Datastore, node: string): Ipam {
  return new Ipam(store, node, { clock: impatientClock, random: seededRandom(1) })
}

function take(ipam: Ipam, handle: string): Promise<Assignment> {
  return ipam.assign({ handle, use: `test/${handle}`, signal })
}

function affinity(store: Datastore, cidr: string, node: string, state: 'pending' | 'confirmed') {
  return createOf(store, BLOCK_AFFINITY, { block: prefix(cidr), node, state }, options)
}

function block(store: Datastore, cidr: string, node: string) {
  assert.equal(ipamBlockKey(prefix(cidr)), IPAM_BLOCK.keyOf(emptyBlock(prefix(cidr), node)))
  return createOf(store, IPAM_BLOCK, emptyBlock(prefix(cidr), node), options)
}

function addressOf(assignment: Assignment): string {
  return assignment.is === 'assigned' ? formatIpv4(assignment.address) : assignment.is
}

function blockOf(assignment: Assignment): string {
  return assignment.is === 'assigned' ? formatPrefix(assignment.block) : assignment.is
}
