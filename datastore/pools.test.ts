/** What is refused, by what name, and that nothing changes then. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { formatPrefix, prefix } from '@network/base/net/prefix.ts'
import { seededRandom } from '@network/base/testing/seeded-random.ts'
import { type IpPool, POOL_USES } from '@network/model/resources/ip-pool.ts'
import { NODE } from '@network/model/resources/node.ts'
import { ALL } from '@network/model/selector/selector.ts'
import { Ipam } from './ipam/ipam.ts'
import { createPool, deletePool, inUse, obstacleTo, setPool } from './pools.ts'
import { createOf } from './records.ts'
import { impatientClock } from './testing/impatient-clock.ts'
import { MemoryStore } from './testing/memory.ts'

const options = { signal: new AbortController().signal }

const OBSTACLES: readonly (readonly [string, string])[] = [
  ['10.245.0.0/16', 'nothing'],
  ['10.244.0.0/16', 'overlaps first 10.244.0.0/16'],
  ['10.244.7.0/24', 'overlaps first 10.244.0.0/16'],
  ['10.0.0.0/8', 'overlaps first 10.244.0.0/16'],
  ['172.16.0.0/16', 'holds-node a 172.16.20.11'],
  ['172.16.20.11/32', 'holds-node a 172.16.20.11'],
  ['172.16.21.0/24', 'nothing'],
  ['169.254.0.0/16', 'reserved 169.254.0.0/16'],
  ['169.254.1.0/24', 'reserved 169.254.0.0/16'],
  ['0.0.0.0/0', 'reserved 0.0.0.0/8'],
  ['127.1.0.0/16', 'reserved 127.0.0.0/8'],
  ['239.0.0.0/8', 'reserved 224.0.0.0/4'],
  ['255.255.255.0/24', 'reserved 240.0.0.0/4'],
]
for (const [cidr, found] of OBSTACLES)
  test(`a pool ${cidr}: ${found}`, () => {
    const node = {
      name: 'a',
      id: '1',
      address: ipv4('172.16.20.11'),
      subnetLength: 24,
      asn: undefined,
      tunnelAddress: undefined,
      vxlanMac: undefined,
    }
    const among = { pools: [poolOf('first', '10.244.0.0/16')], nodes: [node] }
    assert.equal(told(obstacleTo({ name: 'new', cidr: prefix(cidr) }, among)), found)
  })

test('a pool does not overlap itself', () => {
  const pool = poolOf('first', '10.244.0.0/16')
  assert.equal(obstacleTo(pool, { pools: [pool], nodes: [] }), undefined)
})

test('a refused pool is not there', async () => {
  const store = new MemoryStore()
  const first = poolOf('first', '10.244.0.0/16')
  assert.deepEqual(await createPool(store, first, options), { is: 'created', pool: first })
  assert.deepEqual(await createPool(store, first, options), { is: 'exists' })
  const refused = await createPool(store, poolOf('second', '10.244.128.0/17'), options)
  assert.deepEqual(refused, { is: 'overlaps', pool: 'first', cidr: prefix('10.244.0.0/16') })
  assert.equal(store.entries.size, 1)
})

test('of two pools that overlap and are made at the same moment at most one stays', async () => {
  const store = new MemoryStore()
  const both = [poolOf('a', '10.244.0.0/16'), poolOf('b', '10.244.0.0/17')]
  const made = await Promise.all(both.map(pool => createPool(store, pool, options)))
  assert.ok(made.filter(({ is }) => is === 'created').length <= 1)
  assert.equal(store.entries.size, made.filter(({ is }) => is === 'created').length)
})

test('a mode is set and said; the range never', async () => {
  const store = new MemoryStore()
  const pool = poolOf('first', '10.244.0.0/16')
  await createPool(store, pool, options)
  const after = { ...pool, ipipMode: 'Always' } as const
  assert.deepEqual(await setPool(store, 'first', { ipipMode: 'Always' }, options), { is: 'set', before: pool, after })
  assert.deepEqual(await setPool(store, 'first', { ipipMode: 'Always' }, options), { is: 'unchanged', pool: after })
  assert.deepEqual(await setPool(store, 'frist', { ipipMode: 'Always' }, options), { is: 'absent', known: ['first'] })
  const wider = await setPool(store, 'first', { cidr: prefix('10.0.0.0/8'), ipipMode: 'Never' }, options)
  assert.deepEqual(wider, { is: 'immutable', field: 'cidr', pool: after })
  const finer = await setPool(store, 'first', { blockSize: 28 }, options)
  assert.deepEqual(finer, { is: 'immutable', field: 'blockSize', pool: after })
})

test('a pool in use stays as it was, and goes when nothing is left in it', async () => {
  const store = new MemoryStore()
  const pool = poolOf('first', '10.244.0.0/16')
  await createPool(store, pool, options)
  for (const node of ['b', 'a', 'a'])
    await ipamOf(store, node).assign({ handle: `${store.entries.size}`, use: 'test', ...options })
  const refused = { is: 'in-use', addresses: 3, nodes: ['a', 'b'] } as const
  const before = store.entries.get('/cali/v1/ippools/first')
  assert.deepEqual(await deletePool(store, 'first', options), refused)
  assert.deepEqual(store.entries.get('/cali/v1/ippools/first'), before)
  for (const node of ['a', 'b']) await ipamOf(store, node).releaseUnused(new Set(), options)
  assert.deepEqual(await inUse(store, pool, options), { is: 'unused' })
  assert.deepEqual(await deletePool(store, 'first', options), { is: 'deleted', pool })
  assert.equal(store.entries.size, 0)
  assert.deepEqual(await deletePool(store, 'first', options), { is: 'absent', known: [] })
})

test('addresses of tunnels do not keep a pool: they are freed with it, and given back by an agent that asks again', async () => {
  const store = new MemoryStore()
  const pool = { ...poolOf('first', '10.244.0.0/24'), blockSize: 26 }
  await createPool(store, pool, options)
  for (const node of ['a', 'b']) await ipamOf(store, node).assign({ handle: `tunnel.${node}`, use: 'tunnel', ...options })
  await ipamOf(store, 'b').assign({ handle: 'pod', use: 'default/web', ...options })
  assert.deepEqual(await deletePool(store, 'first', options), { is: 'in-use', addresses: 1, nodes: ['b'] })
  const had = await ipamOf(store, 'a').assign({ handle: 'tunnel.a', use: 'tunnel', ...options })
  assert.equal(had.is, 'assigned', 'a refusal takes nothing from a tunnel')
  await ipamOf(store, 'b').release('pod', options)
  assert.deepEqual(await deletePool(store, 'first', options), { is: 'deleted', pool })
  assert.equal(store.entries.size, 0)
  assert.deepEqual(await ipamOf(store, 'a').assign({ handle: 'tunnel.a', use: 'tunnel', ...options }), { is: 'no-pool' })
})

test('a pool is not made over a node’s address', async () => {
  const store = new MemoryStore()
  const node = {
    name: 'a',
    id: '1',
    address: ipv4('10.9.0.1'),
    subnetLength: 24,
    asn: undefined,
    tunnelAddress: undefined,
    vxlanMac: undefined,
  }
  await createOf(store, NODE, node, options)
  assert.equal((await createPool(store, poolOf('p', '10.9.0.0/16'), options)).is, 'holds-node')
})

function poolOf(name: string, cidr: string): IpPool {
  return {
    name,
    cidr: prefix(cidr),
    blockSize: 32,
    ipipMode: 'CrossSubnet',
    vxlanMode: 'Never',
    natOutgoing: false,
    disabled: false,
    disableBgpExport: false,
    nodeSelector: ALL,
    allowedUses: POOL_USES,
    assignmentMode: 'Automatic',
  }
}

function ipamOf(store: MemoryStore, node: string): Ipam {
  return new Ipam(store, node, { clock: impatientClock, random: seededRandom(1) })
}

function told(obstacle: ReturnType<typeof obstacleTo>): string {
  switch (obstacle?.is) {
    case undefined:
      return 'nothing'
    case 'overlaps':
      return `overlaps ${obstacle.pool} ${formatPrefix(obstacle.cidr)}`
    case 'holds-node':
      return `holds-node ${obstacle.node} 172.16.20.11`
    case 'reserved':
      return `reserved ${formatPrefix(obstacle.range)}`
    default:
      return obstacle satisfies never
  }
}
