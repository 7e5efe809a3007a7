/** Who speaks with whom by which resources, seen from one node of four. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatIpv4, ipv4 } from '@network/base/net/ipv4.ts'
import { loadDocuments } from '@network/model/documents/load.ts'
import { NODE } from '@network/model/resources/node.ts'
import { type Snapshot, SnapshotBuilder } from '@network/model/snapshot.ts'
import { identityOf } from './identity.ts'
import { type Neighbour, planPeers } from './peers.ts'

const CONFIG = (spec: string) => document('BGPConfiguration', 'default', spec)
const PEER = (name: string, spec: string) => document('BGPPeer', name, spec)
const MESH = ['a2 64512', 'a3 64512', 'a4 64512']

/** a1 is a reflector where its labels say so; all others but a4 are plain nodes of rack r1. */
const CASES: readonly [what: string, self: string, yaml: string, speaks: readonly string[]][] = [
  ['without resources: the mesh', 'a1', '', MESH],
  ['the mesh is off: nobody', 'a1', CONFIG('{ nodeToNodeMeshEnabled: false }'), []],
  ['another AS number for all', 'a1', CONFIG('{ asNumber: 64999 }'), ['a2 64999', 'a3 64999', 'a4 64999']],
  [
    'another port for all, and a third for a2',
    'a1',
    `${CONFIG('{ listenPort: 1179 }')}---${document('BGPConfiguration', 'node.a2', '{ listenPort: 2179 }')}`,
    ['a2 64512 port 2179', 'a3 64512 port 1179', 'a4 64512 port 1179'],
  ],
  ['a peer of all', 'a1', PEER('tor', '{ peerIP: 192.0.2.1, asNumber: 65001 }'), ['tor 65001', ...MESH]],
  ['a peer with a port', 'a1', PEER('tor', "{ peerIP: '192.0.2.1:1179', asNumber: 65001 }"), ['tor 65001 port 1179', ...MESH]],
  ['a peer of another node', 'a1', PEER('tor', '{ node: a2, peerIP: 192.0.2.1, asNumber: 65001 }'), MESH],
  [
    'a peer of nodes that are selected',
    'a1',
    PEER('tor', "{ nodeSelector: rack == 'r1', peerIP: 192.0.2.1, asNumber: 65001 }"),
    ['tor 65001', ...MESH],
  ],
  [
    'a peer of nodes that are not',
    'a4',
    PEER('tor', "{ nodeSelector: rack == 'r1', peerIP: 192.0.2.1, asNumber: 65001 }"),
    ['a1 64512', 'a2 64512', 'a3 64512'],
  ],
  [
    'what is said of one node wins over what is said of all',
    'a1',
    `${PEER('all', '{ peerIP: 192.0.2.1, asNumber: 65001 }')}---${PEER('one', '{ node: a1, peerIP: 192.0.2.1, asNumber: 65002 }')}`,
    ['one 65002', ...MESH],
  ],
  [
    'a node that others select peers back',
    'a4',
    `${CONFIG('{ nodeToNodeMeshEnabled: false }')}---${PEER('p', "{ node: a1, peerSelector: rack == 'r2' }")}`,
    ['a1 64512'],
  ],
  [
    'and does not when that is for its own resource',
    'a4',
    `${CONFIG('{ nodeToNodeMeshEnabled: false }')}---${PEER('p', "{ node: a1, peerSelector: rack == 'r2', reversePeering: Manual }")}`,
    [],
  ],
  [
    'a password that cannot be used: no session',
    'a1',
    PEER('tor', '{ peerIP: 192.0.2.1, asNumber: 65001, password: { secretKeyRef: { name: s, key: k } } }'),
    MESH,
  ],
]
for (const [what, self, yaml, speaks] of CASES)
  test(what, () => {
    const { neighbours } = planned(self, yaml)
    assert.deepEqual(neighbours.map(said), speaks)
  })

const REFLECTORS = PEER('rr', '{ nodeSelector: all(), peerSelector: has(reflector) }')

test('a reflector leaves the mesh, reflects to its clients and not to the other of its cluster', () => {
  const reflectors = ['a1', 'a2']
  const { neighbours } = planned('a1', REFLECTORS, reflectors)
  assert.deepEqual(
    neighbours.map(({ name, terms }) => [name, terms?.client === true]),
    [
      ['a2', false],
      ['a3', true],
      ['a4', true],
    ],
  )
  const client = planned('a3', REFLECTORS, reflectors)
  assert.deepEqual(
    client.neighbours.map(({ name, type, terms }) => [name, type, terms?.client === true]),
    [
      ['a1', 'configured', false],
      ['a2', 'configured', false],
      ['a4', 'mesh', false],
    ],
  )
  assert.deepEqual(planned('a1', '', reflectors).neighbours, [], 'without a peer it speaks with nobody')
})

test('terms of a session come from its BGPPeer', () => {
  const yaml = PEER(
    'tor',
    '{ peerIP: 192.0.2.1, asNumber: 65001, localASNumber: 65100, numAllowedLocalASNumbers: 2, holdTime: 9s, maxRestartTime: 30s, nextHopMode: Self }',
  )
  const [tor] = planned('a1', yaml).neighbours
  assert.deepEqual(
    { ...tor?.terms, exportPolicy: tor?.terms?.exportPolicy?.map(({ name }) => name) },
    { localAsn: 65100, allowOwnAs: 2, holdTime: 9, restartTime: 30, exportPolicy: ['nextHopMode Self'] },
  )
})

const TOLD: readonly [what: string, yaml: string, says: RegExp][] = [
  [
    'password',
    PEER('tor', '{ peerIP: 192.0.2.1, asNumber: 65001, password: { secretKeyRef: { name: s, key: k } } }'),
    /password cannot be used yet; there is no session/,
  ],
  [
    'ttlSecurity',
    PEER('tor', '{ peerIP: 192.0.2.1, asNumber: 65001, ttlSecurity: 1 }'),
    /ttlSecurity cannot be used yet; there is no session/,
  ],
  [
    'pods as peers',
    PEER('tor', '{ localWorkloadSelector: all(), asNumber: 65001 }'),
    /pods are no peers here; there is no session/,
  ],
  ['IPv6', PEER('tor', "{ peerIP: '2001:db8::1', asNumber: 65001 }"), /is an IPv6 address/],
  [
    'sourceAddress',
    PEER('tor', '{ peerIP: 192.0.2.1, asNumber: 65001, sourceAddress: None }'),
    /sourceAddress None does nothing/,
  ],
  ['reachableBy', PEER('tor', '{ peerIP: 192.0.2.1, asNumber: 65001, reachableBy: 192.0.2.2 }'), /reachableBy does nothing/],
  [
    'nextHopMode',
    PEER('tor', '{ peerIP: 192.0.2.1, asNumber: 65001, nextHopMode: Keep }'),
    /the next hop cannot be kept towards a peer in another AS/,
  ],
  [
    'a missing filter',
    PEER('tor', '{ peerIP: 192.0.2.1, asNumber: 65001, filters: [f] }'),
    /there is no BGPFilter f; nothing is exchanged/,
  ],
  [
    'a mesh password',
    CONFIG('{ nodeMeshPassword: { secretKeyRef: { name: s, key: k } } }'),
    /sessions of the mesh have no password/,
  ],
]
for (const [what, yaml, says] of TOLD)
  test(`never passed over in silence: ${what}`, () => {
    assert.match(planned('a1', yaml).problems.join('\n'), says)
    assert.deepEqual(planned('a1', PEER('tor', '{ peerIP: 192.0.2.1, asNumber: 65001 }')).problems, [], 'P0')
  })

test('a node’s own AS number wins over the cluster’s, and that over the file’s', () => {
  const snapshot = cluster(CONFIG('{ asNumber: 64999 }'), [])
  const self = snapshot.nodes.get('a1') ?? assert.fail()
  assert.equal(identityOf(self, snapshot, 64512).asn, 64999)
  assert.equal(identityOf({ ...self, asn: 65010 }, snapshot, 64512).asn, 65010)
  assert.equal(identityOf(self, cluster('', []), 64512).asn, 64512)
})

function planned(name: string, yaml: string, reflectors: readonly string[] = []) {
  const snapshot = cluster(yaml, reflectors)
  return planPeers(snapshot.nodes.get(name) ?? assert.fail(), snapshot, { asn: 64512 })
}

function cluster(yaml: string, reflectors: readonly string[]): Snapshot {
  const builder = new SnapshotBuilder()
  for (const [at, name] of ['a1', 'a2', 'a3', 'a4'].entries()) {
    const reflects = reflectors.includes(name)
    const node = {
      ...{ name, id: name, address: ipv4(`172.16.20.${11 + at}`), subnetLength: 24, asn: undefined, tunnelAddress: undefined },
      vxlanMac: undefined,
      labels: { rack: name === 'a4' ? 'r2' : 'r1', ...(reflects ? { reflector: '' } : {}) },
      ...(reflects ? { routeReflectorClusterId: ipv4('244.0.0.1') } : {}),
    }
    builder.apply({ key: NODE.keyOf(node), document: NODE.print(node) })
  }
  for (const loaded of loadDocuments(yaml)) {
    assert.ok(loaded.is === 'read', JSON.stringify(loaded))
    builder.apply(loaded)
  }
  return builder.snapshot
}

function document(kind: string, name: string, spec: string): string {
  return `\napiVersion: projectcalico.org/v3\nkind: ${kind}\nmetadata: { name: ${name} }\nspec: ${spec}\n`
}

function said({ name, asn, port = 179, address }: Neighbour): string {
  assert.match(formatIpv4(address), /\d/)
  return `${name} ${asn}${port === 179 ? '' : ` port ${port}`}`
}
