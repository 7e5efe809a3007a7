import assert from 'node:assert/strict'
import { test } from 'node:test'
import { prefix } from '@network/base/net/prefix.ts'
import { silentLog } from '@network/base/run/log.ts'
import { seededRandom } from '@network/base/testing/seeded-random.ts'
import { Ipam } from '@network/datastore/ipam/ipam.ts'
import { createPool } from '@network/datastore/pools.ts'
import { impatientClock } from '@network/datastore/testing/impatient-clock.ts'
import { MemoryStore } from '@network/datastore/testing/memory.ts'
import { isRecord, KEY_ROOT } from '@network/model/resources/kind.ts'
import { nodeKey } from '@network/model/resources/node.ts'
import { SnapshotBuilder } from '@network/model/snapshot.ts'
import { claimTunnelAddress } from './tunnel-address.ts'

const { signal } = new AbortController()
const POOL = {
  name: 'default',
  cidr: prefix('10.244.0.0/24'),
  blockSize: 26,
  ipipMode: 'Always',
  vxlanMode: 'Never',
  natOutgoing: false,
  disabled: false,
} as const
const NODE_DOCUMENT = {
  apiVersion: 'projectcalico.org/v3',
  kind: 'Node',
  metadata: { name: 'a', labels: { rack: 'r1' }, annotations: { owner: 'us' } },
  spec: { nodeId: 'machine-a', bgp: { ipv4Address: '172.16.20.11/24', ofTomorrow: 7 } },
}

test('the address is written, and all that somebody else wrote stays: labels, annotations, what a newer version knows', async () => {
  const store = new MemoryStore()
  await createPool(store, POOL, { signal })
  await store.create(nodeKey('a'), NODE_DOCUMENT, { signal })
  const ipam = new Ipam(store, 'a', { clock: impatientClock, random: seededRandom(1) })
  const builder = new SnapshotBuilder()
  for (const { key, document } of (await store.list(KEY_ROOT, { signal })).entries) builder.apply({ key, document })
  await claimTunnelAddress({ node: 'a', store, ipam, log: silentLog }, builder.snapshot, signal)
  const written = (await store.get(nodeKey('a'), { signal }))?.document
  assert.ok(isRecord(written) && isRecord(written['metadata']) && isRecord(written['spec']))
  assert.deepEqual(written['metadata'], NODE_DOCUMENT.metadata)
  const { bgp } = written['spec']
  assert.ok(isRecord(bgp))
  const { ipv4IPIPTunnelAddr: tunnel, ...rest } = bgp
  assert.match(String(tunnel), /^10\.244\.0\.\d+$/)
  assert.deepEqual(rest, NODE_DOCUMENT.spec.bgp)
})
