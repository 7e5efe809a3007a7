/** What the other kinds refuse, by place. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { prefix } from '@network/base/net/prefix.ts'
import { BLOCK_AFFINITY } from './block-affinity.ts'
import { IPAM_BLOCK } from './ipam-block.ts'
import { type Document, isRecord, type Kind } from './kind.ts'
import { NODE } from './node.ts'
import { WORKLOAD_ENDPOINT } from './workload-endpoint.ts'

const node = NODE.print({
  name: 'a',
  id: '1',
  address: ipv4('172.16.20.11'),
  subnetLength: 24,
  asn: 64512,
  tunnelAddress: ipv4('10.244.7.0'),
  vxlanMac: undefined,
})
const affinity = BLOCK_AFFINITY.print({ block: prefix('10.244.7.0/26'), node: 'a', state: 'confirmed' })
const allocation = { handle: 'h', node: 'a', use: 'default/web' }
const block = IPAM_BLOCK.print({ cidr: prefix('10.0.0.0/31'), node: 'a', allocations: new Map([[1, allocation]]), free: [0] })
const endpoint = WORKLOAD_ENDPOINT.print({
  node: 'a',
  namespace: 'default',
  pod: 'web',
  containerId: 'c1',
  endpoint: 'eth0',
  interfaceName: 'cali0123456789a',
  mac: 'ee:ee:ee:ee:ee:ee',
  addresses: [ipv4('10.244.7.5')],
})

/** Kind, document, path, value put there, places of the problems. */
const REFUSED: readonly (readonly [Kind<unknown>, Document, string, unknown, readonly string[]])[] = [
  [NODE, node, 'spec.nodeId', '', ['spec.nodeId']],
  [NODE, node, 'spec.nodeId', undefined, ['spec.nodeId']],
  [NODE, node, 'spec.bgp.ipv4Address', '172.16.20.11', ['spec.bgp.ipv4Address']],
  [NODE, node, 'spec.bgp.ipv4Address', '127.0.0.1/8', ['spec.bgp.ipv4Address']],
  [NODE, node, 'spec.bgp.asNumber', 0, ['spec.bgp.asNumber']],
  [NODE, node, 'spec.bgp.asNumber', 4294967296, ['spec.bgp.asNumber']],
  [NODE, node, 'spec.bgp.ipv4IPIPTunnelAddr', '10.244.07.0', ['spec.bgp.ipv4IPIPTunnelAddr']],
  [NODE, node, 'spec.bgp.ipv4adress', '172.16.20.11/24', ['spec.bgp.ipv4adress']],
  [NODE, node, 'spec.bgp', {}, ['spec.bgp.ipv4Address']],
  [NODE, node, 'metadata.name', 'Node_1', ['metadata.name']],
  [BLOCK_AFFINITY, affinity, 'spec.state', 'perhaps', ['spec.state']],
  [BLOCK_AFFINITY, affinity, 'spec.cidr', '10.244.7.1/26', ['spec.cidr']],
  [BLOCK_AFFINITY, affinity, 'spec', { deleted: true }, ['spec.cidr', 'spec.deleted', 'spec.node', 'spec.state']],
  [IPAM_BLOCK, block, 'spec.free', [0, 1], ['spec']],
  [IPAM_BLOCK, block, 'spec.free', [], ['spec']],
  [IPAM_BLOCK, block, 'spec.free', [2], ['spec']],
  [IPAM_BLOCK, block, 'spec.free', [-1], ['spec.free[0]']],
  [IPAM_BLOCK, block, 'spec.allocations', [{ ordinal: 1, ...allocation, colour: 'blue' }], ['spec.allocations[0].colour']],
  [WORKLOAD_ENDPOINT, endpoint, 'metadata.namespace', 'Default', ['metadata.namespace']],
  [WORKLOAD_ENDPOINT, endpoint, 'spec.interfaceName', 'eth0', ['spec.interfaceName']],
  [WORKLOAD_ENDPOINT, endpoint, 'spec.mac', 'EE-EE', ['spec.mac']],
  [WORKLOAD_ENDPOINT, endpoint, 'spec.ipNetworks', [], ['spec.ipNetworks']],
  [WORKLOAD_ENDPOINT, endpoint, 'spec.ipNetworks', ['10.0.0.1/32', '10.0.0.0/24'], ['spec.ipNetworks[1]']],
  [WORKLOAD_ENDPOINT, endpoint, 'spec.endpoint', 'a-very-long-interface', ['spec.endpoint']],
]
for (const [kind, document, path, value, places] of REFUSED)
  test(`${kind.kind} with ${path} ${JSON.stringify(value)} is refused at ${places.join(', ')}`, () => {
    assert.ok(kind.parse(document).ok)
    const parsed = kind.parse(withValue(document, path.split('.'), value))
    assert.ok(!parsed.ok)
    assert.deepEqual(parsed.problems.map(({ at }) => at).toSorted(), places)
  })

test('settings of a Calico Node that are not acted upon are warnings', () => {
  const parsed = NODE.parse(withValue(node, ['spec', 'bgp', 'ipv6Address'], '2001:db8::1/64'))
  assert.ok(parsed.ok)
  assert.deepEqual(
    parsed.warnings.map(({ at }) => at),
    ['spec.bgp.ipv6Address'],
  )
})

test('a workload is named as in Calico', () => {
  assert.equal(
    WORKLOAD_ENDPOINT.keyOf({ node: 'n-1', namespace: 'default', pod: 'web-0', endpoint: 'eth0', ...rest }),
    '/cali/v1/workloadendpoints/default/n--1-k8s-web--0-eth0',
  )
})

const rest = { containerId: 'c1', interfaceName: 'cali0123456789a', mac: 'ee:ee:ee:ee:ee:ee', addresses: [] }

function withValue(input: unknown, [key, ...deeper]: readonly string[], value: unknown): unknown {
  if (key === undefined) return value
  const record = isRecord(input) ? input : {}
  return { ...record, [key]: withValue(record[key], deeper, value) }
}
