import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { prefix } from '@network/base/net/prefix.ts'
import { IP_POOL, type IpipMode } from '@network/model/resources/ip-pool.ts'
import type { Kind } from '@network/model/resources/kind.ts'
import { WORKLOAD_ENDPOINT } from '@network/model/resources/workload-endpoint.ts'
import { type Snapshot, SnapshotBuilder } from '@network/model/snapshot.ts'
import { interfaceProblems } from './interfaces.ts'

const WEB = 'cali00000000001'
const STRAY = 'cali00000000002'

const CASES: readonly [
  what: string,
  mode: IpipMode,
  link: { name: string; kind: string; mtu: number },
  says: RegExp | undefined,
][] = [
  ['a pod of the underlay’s MTU', 'Never', { name: WEB, kind: 'veth', mtu: 1500 }, undefined],
  ['a pod with room for the outer header', 'Always', { name: WEB, kind: 'veth', mtu: 1480 }, undefined],
  [
    'a pod made before the pool tunnelled',
    'Always',
    { name: WEB, kind: 'veth', mtu: 1500 },
    /default\/web has MTU 1500, and 1480 octets fit/,
  ],
  ['a pod made before the underlay shrank', 'Never', { name: WEB, kind: 'veth', mtu: 9000 }, /MTU 9000, and 1500 octets fit/],
  [
    'a veth that no endpoint names',
    'Never',
    { name: STRAY, kind: 'veth', mtu: 1500 },
    /interface cali00000000002 belongs to no pod/,
  ],
  ['a bridge of such a name', 'Never', { name: STRAY, kind: 'bridge', mtu: 1500 }, undefined],
  ['a veth of another name', 'Never', { name: 'veth0', kind: 'veth', mtu: 9000 }, undefined],
]

for (const [what, mode, link, says] of CASES)
  test(`${what}: ${says === undefined ? 'nothing to tell' : 'told'}`, () => {
    const problems = interfaceProblems({ self: 'a1', snapshot: snapshotOf(mode), links: [link], underlayMtu: 1500 })
    if (says === undefined) assert.deepEqual(problems, [])
    else assert.match(problems.join('\n'), says)
  })

test('the same endpoint on another node does not make the interface ours', () => {
  const links = [{ name: WEB, kind: 'veth', mtu: 1500 }]
  assert.equal(interfaceProblems({ self: 'a2', snapshot: snapshotOf('Never'), links, underlayMtu: 1500 }).length, 1)
})

function snapshotOf(ipipMode: IpipMode): Snapshot {
  const builder = new SnapshotBuilder()
  const put = <T>(kind: Kind<T>, value: T) =>
    assert.deepEqual(builder.apply({ key: kind.keyOf(value), document: kind.print(value) }), [])
  put(IP_POOL, {
    name: 'default',
    cidr: prefix('10.244.0.0/16'),
    blockSize: 26,
    ipipMode,
    vxlanMode: 'Never',
    natOutgoing: false,
    disabled: false,
  })
  put(WORKLOAD_ENDPOINT, {
    node: 'a1',
    namespace: 'default',
    pod: 'web',
    containerId: 'c1',
    endpoint: 'eth0',
    interfaceName: WEB,
    mac: 'ee:ee:ee:ee:ee:ee',
    addresses: [ipv4('10.244.0.2')],
  })
  return builder.snapshot
}
