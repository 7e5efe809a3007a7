/** What a write keeps of the document before it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { carryOver } from './carry.ts'
import { NODE } from './node.ts'

const former = {
  apiVersion: 'projectcalico.org/v3',
  kind: 'Node',
  metadata: { name: 'a', labels: { rack: 'r1' }, annotations: { note: 'keep' }, uid: 'u' },
  spec: {
    nodeId: '1',
    bgp: { ipv4Address: '172.16.20.11/24', asNumber: 64513, bfd: true },
    podCIDRs: ['10.0.0.0/24'],
    colour: 'blue',
  },
}

test('labels, annotations and fields of a newer version outlive a write; known fields that the writer leaves out do not', () => {
  const read = NODE.parseStored(former)
  assert.ok(read.ok)
  assert.deepEqual(
    read.warnings.map(({ at }) => at),
    ['spec.podCIDRs', 'spec.colour', 'spec.bgp.bfd'],
  )
  const { labels: _, ...node } = read.value
  const next = carryOver(NODE, former, NODE.print({ ...node, asn: undefined }))
  assert.deepEqual(next, {
    ...former,
    spec: { nodeId: '1', bgp: { ipv4Address: '172.16.20.11/24', bfd: true }, colour: 'blue' },
  })
})

test('a person who writes the same is told that those fields are unknown', () => {
  const read = NODE.parse(former)
  assert.ok(!read.ok)
  assert.deepEqual(
    read.problems.map(({ at }) => at),
    ['spec.colour', 'spec.bgp.bfd'],
  )
})
