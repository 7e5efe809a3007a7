/** One machine a name, one name an address; and what goes with a node. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { formatPrefix, prefix } from '@network/base/net/prefix.ts'
import { seededRandom } from '@network/base/testing/seeded-random.ts'
import { BLOCK_AFFINITY } from '@network/model/resources/block-affinity.ts'
import { NODE, type Node, nodeKey } from '@network/model/resources/node.ts'
import { WORKLOAD_ENDPOINT } from '@network/model/resources/workload-endpoint.ts'
import { Ipam } from './ipam/ipam.ts'
import { deleteNode, registerNode } from './nodes.ts'
import { createPool } from './pools.ts'
import { createOf } from './records.ts'
import { impatientClock } from './testing/impatient-clock.ts'
import { MemoryStore } from './testing/memory.ts'

const options = { signal: new AbortController().signal }

test('a node is registered, and again after a restart, keeping what it does not say', async () => {
  const store = new MemoryStore()
  const first = nodeOf('a', { tunnelAddress: ipv4('10.244.7.0'), asn: 64513 })
  assert.deepEqual(await registerNode(store, first, options), first)
  const { revision } = (await store.get(nodeKey('a'), options)) ?? {}
  assert.deepEqual(await registerNode(store, nodeOf('a'), options), first)
  assert.equal((await store.get(nodeKey('a'), options))?.revision, revision, 'nothing changed, nothing written')
  const moved = await registerNode(store, nodeOf('a', { address: ipv4('172.16.20.99') }), options)
  assert.deepEqual(moved, { ...first, address: ipv4('172.16.20.99') })
})

test('a second machine with the name is refused, both named', async () => {
  const store = new MemoryStore()
  await registerNode(store, nodeOf('a'), options)
  const before = store.entries.get(nodeKey('a'))
  await assert.rejects(registerNode(store, nodeOf('a', { id: 'machine-2', address: ipv4('172.16.20.12') }), options), {
    code: 'node.name-taken',
    message: /machine-1 at 172\.16\.20\.11.*machine-2 at 172\.16\.20\.12.*calictl node delete a.*--node-name/,
  })
  assert.deepEqual(store.entries.get(nodeKey('a')), before)
})

test('another node’s address is refused, both named, and nothing is left of the second', async () => {
  const store = new MemoryStore()
  await registerNode(store, nodeOf('a'), options)
  await assert.rejects(registerNode(store, nodeOf('b', { id: 'machine-2' }), options), {
    code: 'node.address-taken',
    message: /node b:.*172\.16\.20\.11 already belongs to node a.*--node-ip/,
  })
  assert.deepEqual([...store.entries.keys()], [nodeKey('a')])
})

test('of two that come with one address at the same moment at most one stays', async () => {
  const store = new MemoryStore()
  const both = ['a', 'b'].map(name => registerNode(store, nodeOf(name, { id: name }), options))
  const settled = await Promise.allSettled(both)
  const accepted = settled.filter(({ status }) => status === 'fulfilled').length
  assert.ok(accepted <= 1)
  assert.equal(store.entries.size, accepted)
})

test('a node goes with all that it had, and nothing of another', async () => {
  const store = new MemoryStore()
  await createPool(
    store,
    {
      name: 'p',
      cidr: prefix('10.244.0.0/16'),
      blockSize: 26,
      ipipMode: 'Never',
      vxlanMode: 'Never',
      natOutgoing: false,
      disabled: false,
    },
    options,
  )
  for (const [n, name] of ['a', 'b'].entries()) {
    await registerNode(store, nodeOf(name, { id: name, address: ipv4(`172.16.20.${n + 1}`) }), options)
    const ipam = new Ipam(store, name, { clock: impatientClock, random: seededRandom(1) })
    for (const handle of ['tunnel', 'pod']) await ipam.assign({ handle, use: 'test', ...options })
    await endpoint(store, name)
  }
  await createOf(store, BLOCK_AFFINITY, { block: prefix('10.244.255.192/26'), node: 'a', state: 'pending' }, options)
  const deleted = await deleteNode(store, 'a', options)
  assert.ok(deleted.is === 'deleted')
  assert.equal(deleted.addresses, 2)
  assert.equal(deleted.blocks.length, 1)
  assert.ok(deleted.blocks.every(block => formatPrefix(block).endsWith('/26')))
  assert.deepEqual(deleted.endpoints, ['/cali/v1/workloadendpoints/default/a-k8s-web-eth0'])
  assert.ok([...store.entries.values()].every(({ document }) => !JSON.stringify(document).includes('"a"')))
  assert.equal(store.entries.size, 5, 'pool; node, endpoint, affinity and block of b')
  assert.deepEqual(await deleteNode(store, 'a', options), { is: 'absent' })
})

test('a Node that cannot be read is said to be so', async () => {
  const store = new MemoryStore()
  await store.create(nodeKey('a'), { kind: 'Node' }, options)
  await assert.rejects(registerNode(store, nodeOf('a'), options), {
    code: 'datastore.unreadable',
    message: /\/cali\/v1\/nodes\/a/,
  })
  assert.equal((await deleteNode(store, 'a', options)).is, 'deleted')
})

function nodeOf(name: string, say: Partial<Node> = {}): Node {
  const node: Node = {
    name,
    id: 'machine-1',
    address: ipv4('172.16.20.11'),
    subnetLength: 24,
    asn: undefined,
    tunnelAddress: undefined,
    vxlanMac: undefined,
    ...say,
  }
  const parsed = NODE.parse(NODE.print(node))
  assert.ok(parsed.ok)
  return node
}

async function endpoint(store: MemoryStore, node: string): Promise<void> {
  const value = {
    node,
    namespace: 'default',
    pod: 'web',
    containerId: 'c1',
    endpoint: 'eth0',
    interfaceName: 'cali0123456789a',
    mac: 'ee:ee:ee:ee:ee:ee',
    addresses: [ipv4('10.244.7.5')],
  }
  await createOf(store, WORKLOAD_ENDPOINT, value, options)
}
