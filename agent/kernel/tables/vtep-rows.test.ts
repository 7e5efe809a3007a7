import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Writer } from '@network/base/bytes/writer.ts'
import { formatIpv4, type Ipv4, ipv4, toIpv4 } from '@network/base/net/ipv4.ts'
import type { VtepIntent } from '@network/model/intent.ts'
import { setFdbEntry } from '@network/netlink/fdb.ts'
import { toIfIndex } from '@network/netlink/link.ts'
import { type Neighbour, writeNeighbour } from '@network/netlink/neighbour.ts'
import { type NeighbourColumns, NeighbourColumnsReader, type NeighbourTable } from '@network/netlink/neighbour-columns.ts'
import { TYPE, writeMessage } from '@network/netlink/wire.ts'
import * as fc from 'fast-check'
import { isRight, isWish, type SeenVtep, VtepRows, WantedVteps } from './vtep-rows.ts'

const link = toIfIndex(7)
/** Few of each, so that they meet. */
const address = fc.nat(4).map(at => toIpv4(ipv4('172.16.0.0') + at))
const mac = fc.nat(4).map(at => `66:00:00:00:00:0${at}`)
const far = fc.record({ address, mac, remote: address })
const neighbour = fc.record({
  address,
  mac: fc.option(mac, { nil: undefined }),
  state: fc.constantFrom('permanent', 'stale'),
  proxy: fc.boolean(),
})
interface Entry {
  readonly mac: string
  readonly remote: Ipv4
}

test('property: what the kernel has is told by far end, each of its rows once, and rightly', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(far, { selector: each => each.address, maxLength: 5 }),
      fc.uniqueArray(neighbour, { selector: each => each.address, maxLength: 5 }),
      fc.uniqueArray(fc.record({ mac, remote: address }), { selector: each => `${each.mac} ${each.remote}`, maxLength: 6 }),
      (fars, neighbours, entries) => {
        const wanted = new Map(
          fars.map((each): [string, VtepIntent] => [formatIpv4(each.address), { ...each, device: 'vx0', node: 'b' }]),
        )
        const rows = rowsOf(wanted, neighbours, entries)
        const seen = new Map<string, SeenVtep>()
        rows.forEach((have, key) => {
          assert.equal(seen.has(key), false, key)
          seen.set(key, have)
        })
        for (const [key, want] of wanted) {
          const near = neighbours.find(each => each.address === want.address && !each.proxy)
          const remotes = entries.filter(each => each.mac === want.mac).map(({ remote }) => remote)
          const isFirst = [...wanted.values()].find(each => each.mac === want.mac) === want
          const right =
            near?.mac === want.mac && near.state === 'permanent' && isFirst && remotes.length === 1 && remotes[0] === want.remote
          const have = seen.get(key)
          assert.deepEqual([have !== undefined && isRight(want, have), rows.has(want.address)], [right, right])
        }
        const told = [...seen.values()].flatMap(have =>
          isWish(have) ? [`${have.mac} ${have.remote}`] : have.entries.map(each => `${each.mac} ${each.remote}`),
        )
        assert.deepEqual(told.toSorted(), entries.map(each => `${each.mac} ${each.remote}`).toSorted())
        const nears = [...seen.values()].flatMap(have => (isWish(have) ? [have.address] : (have.neighbour?.address ?? [])))
        const ours = neighbours.filter(
          each => !each.proxy && (each.state === 'permanent' || wanted.has(formatIpv4(each.address))),
        )
        assert.deepEqual(nears.toSorted(), ours.map(each => each.address).toSorted())
      },
    ),
  )
})

test('a far end whose wish is another object with the same words is right still', () => {
  const want: VtepIntent = {
    address: ipv4('10.0.0.1'),
    mac: '66:00:00:00:00:01',
    remote: ipv4('172.16.0.1'),
    device: 'vx0',
    node: 'b',
  }
  assert.equal(isRight({ ...want }, want), true)
  assert.equal(isRight({ ...want, remote: ipv4('172.16.0.2') }, want), false)
})

function rowsOf(
  wanted: ReadonlyMap<string, VtepIntent>,
  neighbours: readonly Omit<Neighbour, 'link'>[],
  entries: readonly Entry[],
): VtepRows {
  return new VtepRows(new WantedVteps(wanted), {
    link,
    neighbours: columns(
      'neighbours',
      neighbours.map(each => writer => writeNeighbour(writer, { ...each, link })),
    ),
    entries: columns(
      'forwarding',
      entries.map(each => writer => setFdbEntry(link, each.mac, each.remote).write(writer)),
    ),
  })
}

function columns(table: NeighbourTable, bodies: readonly ((writer: Writer) => void)[]): NeighbourColumns {
  const reader = new NeighbourColumnsReader(table)
  const writer = new Writer('host')
  for (const body of bodies) writeMessage(writer, { type: TYPE.newNeighbour, flags: 2, sequence: 1, port: 1 }, body)
  reader.take(writer.finish(), () => true)
  return reader.rows
}
