/** Rules between resources: what may not be, with its sentence; what may, without any. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadDocuments } from '../documents/load.ts'
import { BGP_PEER } from '../resources/bgp-peer.ts'
import { IP_POOL } from '../resources/ip-pool.ts'
import { checkChange, kindsToCheck } from './check.ts'
import type { Documents } from './stock.ts'

/** A document on one line: kind, name, spec in YAML's flow form. */
function documentOf(kind: string, name: string, spec: string): readonly [string, unknown] {
  const [one] = loadDocuments(`{apiVersion: projectcalico.org/v3, kind: ${kind}, metadata: {name: ${name}}, spec: ${spec}}`)
  assert.ok(one?.is === 'read', JSON.stringify(one))
  return [one.key, one.document]
}

const node = (name: string, address: string, more = '') =>
  documentOf('Node', name, `{nodeId: "id of ${name}", bgp: {ipv4Address: ${address}/24${more}}}`)
const pool = (name: string, spec: string) => documentOf('IPPool', name, spec)

const THERE: Documents = new Map([
  node('a', '172.16.20.11', ', ipv4IPIPTunnelAddr: 10.244.0.1'),
  node('b', '172.16.20.12'),
  pool('default', '{cidr: 10.244.0.0/16, ipipMode: Always}'),
  pool('spare', '{cidr: 10.250.0.0/16}'),
  documentOf(
    'IPAMBlock',
    'x',
    '{cidr: 10.244.0.0/31, node: a, allocations: [{ordinal: 1, handle: h, node: a, use: d/web}], free: [0]}',
  ),
  documentOf('BGPFilter', 'only-pods', '{}'),
  documentOf('BGPPeer', 'tor', '{peerIP: 192.0.2.1, asNumber: 65000, filters: [only-pods]}'),
  documentOf('Tier', 'mine', '{order: 1}'),
  documentOf('GlobalNetworkPolicy', 'mine.deny', '{tier: mine}'),
])

/** What changes, and what is said of it. */
const PUT: readonly (readonly [string, readonly [string, unknown], readonly string[]])[] = [
  ['a pool of its own', pool('new', '{cidr: 10.251.0.0/16}'), []],
  [
    'a pool inside another',
    pool('new', '{cidr: 10.244.8.0/24}'),
    ['spec.cidr: 10.244.8.0/24 overlaps pool default 10.244.0.0/16: choose another range'],
  ],
  [
    'a pool in link-local',
    pool('new', '{cidr: 169.254.0.0/20}'),
    [
      'spec.cidr: 169.254.0.0/20 overlaps 169.254.0.0/16, which is link-local, where every pod has its gateway 169.254.1.1: choose another range',
    ],
  ],
  [
    'a pool over nodes',
    pool('new', '{cidr: 172.16.20.0/28, blockSize: 28}'),
    [
      'spec.cidr: 172.16.20.0/28 holds 172.16.20.11, the address of node a: pods would get it; choose another range',
      'spec.cidr: 172.16.20.0/28 holds 172.16.20.12, the address of node b: pods would get it; choose another range',
    ],
  ],
  ['another mode', pool('default', '{cidr: 10.244.0.0/16, ipipMode: Never}'), []],
  [
    'another range and block size',
    pool('spare', '{cidr: 10.252.0.0/16, blockSize: 28}'),
    [
      'spec.cidr: is 10.250.0.0/16 and cannot be changed: create another resource, and delete this one',
      'spec.blockSize: is 26 and cannot be changed: create another resource, and delete this one',
    ],
  ],
  ['a node of its own', node('c', '172.16.20.13'), []],
  ['a node as it is', node('b', '172.16.20.12', ', asNumber: 65001'), []],
  [
    'a node with the address of another',
    node('c', '172.16.20.11'),
    ['spec.bgp.ipv4Address: 172.16.20.11 already belongs to node a: give one of them another address'],
  ],
  [
    'a node with the tunnel of another',
    node('c', '172.16.20.13', ', ipv4IPIPTunnelAddr: 10.244.0.1'),
    ['spec.bgp.ipv4IPIPTunnelAddr: already belongs to node a: leave it out, and the agent takes another'],
  ],
  [
    'a node inside a pool',
    node('c', '10.244.3.3'),
    [
      'spec.bgp.ipv4Address: 10.244.3.3 is inside pool default 10.244.0.0/16, whose addresses are for pods: give the node another',
    ],
  ],
  [
    'another machine of a name',
    documentOf('Node', 'a', '{nodeId: other, bgp: {ipv4Address: 172.16.20.11/24}}'),
    ['spec.nodeId: the name a belongs to machine id of a: delete that node if it is gone, or choose another name'],
  ],
  ['a peer of one node', documentOf('BGPPeer', 'p', '{node: a, peerIP: 192.0.2.2, asNumber: 65000, filters: [only-pods]}'), []],
  [
    'a peer of nobody, with filters of nobody',
    documentOf('BGPPeer', 'p', '{node: c, peerIP: 192.0.2.2, asNumber: 65000, filters: [only-pod]}'),
    [
      'spec.node: there is no node c: create it first; the nodes are a, b',
      'spec.filters[0]: there is no BGPFilter only-pod: did you mean only-pods?',
    ],
  ],
  [
    'a second session to one address',
    documentOf('BGPPeer', 'p', '{nodeSelector: all(), peerIP: 192.0.2.1, asNumber: 65000}'),
    ['spec.peerIP: BGPPeer tor peers a, b with 192.0.2.1 already: keep one of them'],
  ],
  ['the same address, another port', documentOf('BGPPeer', 'p', "{peerIP: '192.0.2.1:1179', asNumber: 65000}"), []],
  [
    'a policy in a tier of nobody',
    documentOf('NetworkPolicy', 'p', '{tier: theirs}'),
    ['spec.tier: there is no tier theirs: create it first'],
  ],
  ['a policy in the default tier', documentOf('NetworkPolicy', 'p', '{}'), []],
]
for (const [name, [key, document], says] of PUT)
  test(`${name}: ${says.length === 0 ? 'may be' : says[0]}`, () => {
    assert.deepEqual(told(checkChange(THERE, { key, document })), says)
  })

const GONE: readonly (readonly [string, readonly string[]])[] = [
  ['ippools/spare', []],
  ['ippools/default', ['1 address of it is in use on a: set disabled to true, and delete the pool when its pods are gone']],
  ['ippools/nobody', []],
  ['bgpfilters/only-pods', ['BGPPeer tor names it: take it out there first']],
  ['bgppeers/tor', []],
  ['tiers/mine', ['policies are in it: mine.deny; move or delete them first']],
]
for (const [path, says] of GONE)
  test(`deleting ${path}: ${says.length === 0 ? 'may be' : says[0]}`, () => {
    assert.deepEqual(told(checkChange(THERE, { key: `/cali/v1/${path}`, document: undefined })), says)
  })

test('a document that lies elsewhere, or under no kind, is refused', () => {
  const [, document] = pool('new', '{cidr: 10.251.0.0/16}')
  assert.deepEqual(told(checkChange(THERE, { key: '/cali/v1/ippools/other', document })), [
    'metadata.name: lies under /cali/v1/ippools/other but names itself /cali/v1/ippools/new',
  ])
  assert.deepEqual(told(checkChange(THERE, { key: '/cali/v1/things/x', document })), [
    'kind: no kind has documents under /cali/v1/things/x',
  ])
})

test('what has to be read before a check is named', () => {
  const names = (kind: Parameters<typeof kindsToCheck>[0]) => kindsToCheck(kind).map(one => one.kind)
  assert.deepEqual(names(IP_POOL), ['IPPool', 'Node', 'IPAMBlock'])
  assert.deepEqual(names(BGP_PEER), ['BGPPeer', 'Node', 'BGPFilter'])
})

function told(problems: ReturnType<typeof checkChange>): readonly string[] {
  return problems.map(({ at, says }) => (at === '' ? says : `${at}: ${says}`))
}
