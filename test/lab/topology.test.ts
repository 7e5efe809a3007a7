import assert from 'node:assert/strict'
import test from 'node:test'
import { topology } from './topology.ts'

test('two racks of two nodes with two pods each', () => {
  const { racks, nodes, pods } = topology(2, 2, 2)
  assert.deepEqual(
    racks.map(rack => [rack.letter, rack.subnet, rack.gateway, rack.bridge]),
    [
      ['a', '172.16.20.0/24', '172.16.20.1', 'rack-a'],
      ['b', '172.16.36.0/24', '172.16.36.1', 'rack-b'],
    ],
  )
  assert.deepEqual(
    nodes.map(node => [node.name, node.interfaceAddress, node.gateway]),
    [
      ['a1', '172.16.20.11/24', '172.16.20.1'],
      ['a2', '172.16.20.12/24', '172.16.20.1'],
      ['b1', '172.16.36.11/24', '172.16.36.1'],
      ['b2', '172.16.36.12/24', '172.16.36.1'],
    ],
  )
  assert.deepEqual(
    pods.map(pod => pod.name),
    ['a1-p1', 'a1-p2', 'a2-p1', 'a2-p2', 'b1-p1', 'b1-p2', 'b2-p1', 'b2-p2'],
  )
})

test('machine ids are 32 hex digits and never the same', () => {
  const ids = topology(3, 5, 0).nodes.map(node => node.machineId)
  assert.equal(new Set(ids).size, 15)
  for (const id of ids) assert.match(id, /^[0-9a-f]{32}$/)
})

test('the largest fits', () => {
  const { racks, nodes } = topology(15, 240, 0)
  assert.equal(racks.at(-1)?.subnet, '172.16.244.0/24')
  assert.equal(nodes.at(-1)?.address, '172.16.244.250')
})

const refused: readonly [number, number, number, RegExp][] = [
  [0, 1, 1, /0 racks: it takes a whole number from 1 to 15/],
  [16, 1, 1, /16 racks/],
  [2, 241, 1, /241 nodes a rack/],
  [2, 1.5, 1, /1.5 nodes a rack/],
  [2, 2, -1, /-1 pods a node/],
]
for (const [racks, nodes, pods, says] of refused) {
  test(`refuses ${racks} racks of ${nodes} nodes with ${pods} pods`, () =>
    assert.throws(() => topology(racks, nodes, pods), says))
}
