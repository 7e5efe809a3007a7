/** Settings of the cluster and of one node, and what is told of those without effect. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { prefix } from '@network/base/net/prefix.ts'
import { loadDocuments } from '@network/model/documents/load.ts'
import { type Snapshot, SnapshotBuilder } from '@network/model/snapshot.ts'
import { VXLAN_DEFAULTS } from '@network/vxlan/settings.ts'
import { announcements } from './announce.ts'
import { portOf } from './identity.ts'
import { DEFAULT_SETTINGS, settingsOf, settingsProblems, vxlanSettings } from './settings.ts'
import { ipipMtu, podMtu } from './workloads.ts'

const agent = (name: string, spec: string) => document('AgentConfiguration', name, spec)
/** What an agent's file may say. */
const FILE = { device: 'vxlan.cali', vni: 4097, port: 4790 }
const bgp = (name: string, spec: string) => document('BGPConfiguration', name, spec)

test('the built-in settings are those of the schema', () => {
  assert.deepEqual(settingsOf('a1', snapshotOf(agent('default', '{}'))), DEFAULT_SETTINGS)
  assert.deepEqual(settingsOf('a1', snapshotOf('')), DEFAULT_SETTINGS)
})

test('a node’s own document is laid over the cluster’s', () => {
  const snapshot = snapshotOf(
    `${agent('default', '{ ipipMTU: 1400, logSeverityScreen: Error }')}---${agent('node.a1', '{ ipipMTU: 1300 }')}`,
  )
  assert.deepEqual([settingsOf('a1', snapshot).ipipMTU, settingsOf('a1', snapshot).logSeverityScreen], [1300, 'Error'])
  assert.equal(settingsOf('a2', snapshot).ipipMTU, 1400)
  assert.equal(ipipMtu(snapshot, 1500, 'a1'), 1300)
  assert.equal(ipipMtu(snapshotOf(''), 1500, 'a1'), 1480, 'P0')
})

test('VXLAN is as AgentConfiguration says, unless the agent’s file says otherwise than the default', () => {
  const settings = settingsOf('a1', snapshotOf(agent('default', '{ vxlanVNI: 5, vxlanPort: 8472, vxlanMTU: 1300 }')))
  assert.deepEqual(vxlanSettings(VXLAN_DEFAULTS, DEFAULT_SETTINGS), VXLAN_DEFAULTS, 'P0')
  assert.deepEqual(vxlanSettings(VXLAN_DEFAULTS, settings), { device: 'vxlan.cali', vni: 5, port: 8472 })
  assert.deepEqual(vxlanSettings(FILE, settings), FILE)
  const pool = document('IPPool', 'p', '{ cidr: 10.244.0.0/16, vxlanMode: Always }')
  assert.equal(podMtu(snapshotOf(`${pool}---${agent('default', '{ vxlanMTU: 1300 }')}`), 1500, 'a1'), 1300)
  assert.equal(podMtu(snapshotOf(pool), 1500, 'a1'), 1450, 'P0')
})

test('pods of a tunnelling pool get the MTU that is set', () => {
  const pool = document('IPPool', 'p', '{ cidr: 10.244.0.0/16, ipipMode: Always }')
  assert.equal(podMtu(snapshotOf(`${pool}---${agent('default', '{ ipipMTU: 1400 }')}`), 1500, 'a1'), 1400)
  assert.equal(podMtu(snapshotOf(pool), 1500, 'a1'), 1480, 'P0')
})

test('the port of one node, and the communities of another', () => {
  const snapshot = snapshotOf(
    [
      bgp('default', "{ listenPort: 1179, prefixAdvertisements: [{ cidr: 10.0.0.0/8, communities: ['64512:1'] }] }"),
      bgp('node.a1', '{ listenPort: 2179 }'),
      bgp(
        'node.a2',
        "{ communities: [{ name: x, value: '64512:2' }], prefixAdvertisements: [{ cidr: 10.0.0.0/8, communities: [x] }] }",
      ),
    ].join('---'),
  )
  assert.deepEqual([portOf('a1', snapshot), portOf('a2', snapshot)], [2179, 1179])
  const told = (self: string) => announcements(self, [prefix('10.244.0.0/26')], snapshot).get('10.244.0.0/26')?.communities
  assert.deepEqual([told('a1'), told('a2')], [[64512 * 65536 + 1], [64512 * 65536 + 2]])
})

const WITHOUT_EFFECT: readonly [yaml: string, says: RegExp][] = [
  [agent('default', '{ vxlanPort: 8472 }'), /vxlanPort 8472 does nothing on this node: vxlan\.port in its agent's file is 4790/],
  [agent('default', '{ vxlanVNI: 5 }'), /vxlanVNI 5 does nothing on this node: vxlan\.vni in its agent's file is 4097/],
  [agent('node.a1', '{ interfacePrefix: pod }'), /interfacePrefix pod does nothing yet/],
  [agent('default', '{ deviceRouteProtocol: 99 }'), /deviceRouteProtocol 99/],
  [bgp('default', '{ bindMode: None }'), /bindMode None does nothing yet/],
  [bgp('default', '{ serviceClusterIPs: [{ cidr: 10.96.0.0/12 }] }'), /serviceClusterIPs does nothing yet/],
  [bgp('default', '{ listenPort: 1179 }'), /only port 179 is opened in firewalls of others/],
]
for (const [yaml, says] of WITHOUT_EFFECT)
  test(`told: ${String(says)}`, () => {
    assert.match(settingsProblems('a1', snapshotOf(yaml), FILE).join('\n'), says)
    assert.deepEqual(settingsProblems('a1', snapshotOf(`${agent('default', '{}')}---${bgp('default', '{}')}`), FILE), [], 'P0')
  })

function snapshotOf(yaml: string): Snapshot {
  const builder = new SnapshotBuilder()
  for (const loaded of loadDocuments(yaml)) {
    assert.ok(loaded.is === 'read', JSON.stringify(loaded))
    builder.apply(loaded)
  }
  return builder.snapshot
}

function document(kind: string, name: string, spec: string): string {
  return `\napiVersion: projectcalico.org/v3\nkind: ${kind}\nmetadata: { name: ${name} }\nspec: ${spec}\n`
}
