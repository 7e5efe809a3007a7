/** What the agent knows of its datastore: whole, fresh, and not stopped by a single key. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turnOfEventLoop } from 'node:timers/promises'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { silentLog } from '@network/base/run/log.ts'
import { ManualClock } from '@network/base/testing/manual-clock.ts'
import { seededRandom } from '@network/base/testing/seeded-random.ts'
import { createOf } from '@network/datastore/records.ts'
import { MemoryStore } from '@network/datastore/testing/memory.ts'
import { metadataOf } from '@network/model/resources/kind.ts'
import { NODE, type Node, nodeKey } from '@network/model/resources/node.ts'
import { NODE_STATUS } from '@network/model/resources/node-status.ts'
import { Cluster } from './cluster.ts'

const NODE_A: Node = {
  name: 'a',
  id: 'machine a',
  address: ipv4('172.16.20.11'),
  subnetLength: 24,
  asn: undefined,
  tunnelAddress: undefined,
  vxlanMac: undefined,
}

test('keys that are not JSON are named and count as absent, at the first list and later, and all else goes on', {
  timeout: 20_000,
}, async ({ signal }) => {
  const store = new MemoryStore()
  store.spoil(nodeKey('spoilt'))
  store.spoil('/cali/v1/strangers/x')
  await createOf(store, NODE, NODE_A, { signal })
  const ending = new AbortController()
  const chance = { clock: new ManualClock(), random: seededRandom(1), log: silentLog }
  const cluster = new Cluster({ ...chance, node: 'a', store, changed: () => undefined })
  const following = cluster.follow(AbortSignal.any([signal, ending.signal]))
  await cluster.completed
  assert.deepEqual([...cluster.snapshot.nodes.keys()], ['a'])
  assert.deepEqual([...cluster.snapshot.junk.keys()], [nodeKey('spoilt')], 'the plan tells that one')
  assert.match(cluster.snapshot.junk.get(nodeKey('spoilt'))?.[0]?.says ?? '', /not text that is not JSON/)
  assert.match(cluster.problems.join(), /^\/cali\/v1\/strangers\/x in the datastore is not JSON/)

  store.spoil('/cali/v1/strangers/y')
  await createOf(store, NODE, { ...NODE_A, name: 'b', address: ipv4('172.16.20.12') }, { signal })
  while (cluster.snapshot.nodes.size < 2) await turnOfEventLoop()
  assert.equal(cluster.problems.length, 2)
  assert.equal(cluster.status.state, 'in-sync')
  for (const key of ['/cali/v1/strangers/x', '/cali/v1/strangers/y']) {
    const entry = await store.get(key, { signal })
    await store.delete(key, entry?.revision ?? '', { signal })
  }
  while (cluster.problems.length > 0) await turnOfEventLoop()
  ending.abort()
  await following
})

test('what agents say of themselves wakes nobody else', { timeout: 20_000 }, async ({ signal }) => {
  const store = new MemoryStore()
  const keys: string[] = []
  const watch = store.watch.bind(store)
  store.watch = async function* (prefix, how) {
    for await (const event of watch(prefix, how)) {
      keys.push(event.key)
      yield event
    }
  }
  const ending = new AbortController()
  const chance = { clock: new ManualClock(), random: seededRandom(1), log: silentLog }
  const cluster = new Cluster({ ...chance, node: 'a', store, changed: () => undefined })
  const following = cluster.follow(AbortSignal.any([signal, ending.signal]))
  await cluster.completed
  const status = {
    metadata: metadataOf('a'),
    spec: { node: 'a', classes: ['Agent' as const], updatePeriodSeconds: 5 },
    status: undefined,
  }
  await createOf(store, NODE_STATUS, status, { signal })
  await createOf(store, NODE, NODE_A, { signal })
  while (cluster.snapshot.nodes.size < 1) await turnOfEventLoop()
  assert.deepEqual(keys, [nodeKey('a')])
  ending.abort()
  await following
})
