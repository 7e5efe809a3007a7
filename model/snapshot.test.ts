/** Changes become a snapshot; what cannot be read is absent and told. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { prefix } from '@network/base/net/prefix.ts'
import { BLOCK_AFFINITY } from './resources/block-affinity.ts'
import { IP_POOL, POOL_USES } from './resources/ip-pool.ts'
import { NODE } from './resources/node.ts'
import { ALL } from './selector/selector.ts'
import { SnapshotBuilder } from './snapshot.ts'

const node = {
  name: 'a',
  id: '1',
  address: ipv4('172.16.20.11'),
  subnetLength: 24,
  asn: undefined,
  tunnelAddress: undefined,
  vxlanMac: undefined,
}
const pool = {
  name: 'p',
  cidr: prefix('10.244.0.0/16'),
  blockSize: 26,
  ipipMode: 'Never',
  vxlanMode: 'Never',
  natOutgoing: false,
  disabled: false,
  disableBgpExport: false,
  nodeSelector: ALL,
  allowedUses: POOL_USES,
  assignmentMode: 'Automatic',
} as const
const affinity = { block: prefix('10.244.7.0/26'), node: 'a', state: 'confirmed' } as const

test('what is told is there, by its name, until it is told to be gone', () => {
  const builder = new SnapshotBuilder()
  for (const [key, document] of [
    [NODE.keyOf(node), NODE.print(node)],
    [IP_POOL.keyOf(pool), IP_POOL.print(pool)],
    [BLOCK_AFFINITY.keyOf(affinity), BLOCK_AFFINITY.print(affinity)],
  ] as const)
    assert.deepEqual(builder.apply({ key, document }), [])
  const { snapshot } = builder
  assert.deepEqual(snapshot.nodes, new Map([['a', node]]))
  assert.deepEqual(snapshot.pools, new Map([['p', pool]]))
  assert.deepEqual(snapshot.affinities, new Map([['10.244.7.0/26', affinity]]))
  builder.apply({ key: NODE.keyOf(node), document: undefined })
  assert.equal(builder.snapshot.nodes.size, 0)
})

test('a document that turns to junk is absent and told, and back when it is mended', () => {
  const builder = new SnapshotBuilder()
  const key = NODE.keyOf(node)
  builder.apply({ key, document: NODE.print(node) })
  assert.ok(builder.apply({ key, document: { kind: 'Node' } }).length > 0)
  assert.equal(builder.snapshot.nodes.size, 0)
  assert.deepEqual([...builder.snapshot.junk.keys()], [key])
  builder.apply({ key, document: NODE.print(node) })
  assert.equal(builder.snapshot.nodes.size, 1)
  assert.equal(builder.snapshot.junk.size, 0)
})

test('a document under another’s key is junk', () => {
  const builder = new SnapshotBuilder()
  const problems = builder.apply({ key: `${NODE.keyOf(node)}b`, document: NODE.print(node) })
  assert.deepEqual(
    problems.map(({ at }) => at),
    ['metadata.name'],
  )
  assert.equal(builder.snapshot.nodes.size, 0)
})

test('keys that no plan needs are passed over', () => {
  const builder = new SnapshotBuilder()
  assert.deepEqual(builder.apply({ key: '/cali/v1/ipamblocks/x', document: 'whatever' }), [])
  assert.equal(builder.snapshot.junk.size, 0)
})
