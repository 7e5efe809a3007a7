import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WireFault } from '@network/base/bytes/cursor.ts'
import { Writer } from '@network/base/bytes/writer.ts'
import { toIpv4 } from '@network/base/net/ipv4.ts'
import fc from 'fast-check'
import { FdbPattern, isPermanent, readFdbEntry, setFdbEntry } from './fdb.ts'
import { toIfIndex } from './link.ts'
import { formatMac, formatMacWords, mac, macWords } from './mac.ts'
import { NeighbourPattern, readNeighbour, setNeighbour, stateOf, writeNeighbour } from './neighbour.ts'
import { NeighbourColumnsReader, type NeighbourTable } from './neighbour-columns.ts'
import { toHex } from './testing/fixtures.ts'
import { bodyOf } from './testing/scripted-channel.ts'
import { type Instruction, TYPE, writeInstruction, writeMessage } from './wire.ts'

const address = fc.integer({ min: 0, max: 0xffffffff }).map(toIpv4)
const hardware = fc.uint8Array({ minLength: 6, maxLength: 6 }).map(formatMac)
const link = toIfIndex(7)
const neighbour = fc
  .record({
    address,
    mac: fc.option(hardware, { nil: undefined }),
    state: fc.constantFrom('permanent', 'reachable', 'failed'),
    proxy: fc.boolean(),
  })
  .map(row => (writer: Writer) => writeNeighbour(writer, { ...row, link }))
const entry = fc.tuple(hardware, address).map(
  ([of, remote]) =>
    (writer: Writer) =>
      setFdbEntry(link, of, remote).write(writer),
)

for (const [table, one] of [
  ['neighbours', (body: Uint8Array) => neighbourIn(body)],
  ['forwarding', (body: Uint8Array) => entryIn(body)],
] as const)
  test(`property: ${table} are read as their rows are one by one, whatever else is in the list`, () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.oneof(neighbour, entry), { maxLength: 5 }), { maxLength: 4 }), datagrams => {
        const reader = new NeighbourColumnsReader(table)
        const rows: unknown[] = []
        for (const bodies of datagrams) {
          const writer = new Writer('host')
          for (const body of bodies) {
            writeMessage(writer, { type: TYPE.newNeighbour, flags: 2, sequence: 9, port: 1 }, body)
            const row = one(bodyOf(body).rest())
            if (row !== undefined) rows.push(row)
          }
          writeMessage(writer, { type: TYPE.done, flags: 2, sequence: 9, port: 1 }, body => body.i32(0))
          reader.take(writer.finish(), ({ type }) => type === TYPE.newNeighbour)
        }
        assert.deepEqual(seen(reader, table), rows)
      }),
    )
  })

test('a row that ends before its attribute does is a fault', () => {
  const writer = new Writer('host')
  writeMessage(writer, { type: TYPE.newNeighbour, flags: 0, sequence: 1, port: 1 }, body => {
    body.u8(2).u8(0).u16(0).i32(7).u16(0x80).u8(0).u8(0).u16(12).u16(1).u32(0)
  })
  assert.throws(() => new NeighbourColumnsReader('neighbours').take(writer.finish(), () => true), WireFault)
})

test('property: a pattern writes what an instruction does', () => {
  fc.assert(
    fc.property(hardware, address, (of, where) => {
      assert.equal(formatMacWords(macWords(of).high, macWords(of).low), of)
      const pairs: [Instruction, (writer: Writer) => void][] = [
        [setNeighbour(link, where, of), writer => new NeighbourPattern(link).write(writer, where, macWords(of), 5)],
        [setFdbEntry(link, of, where), writer => new FdbPattern(link).write(writer, macWords(of), where, 5)],
      ]
      for (const [instruction, write] of pairs)
        assert.equal(toHex(bodyOf(write).rest()), toHex(bodyOf(writer => writeInstruction(writer, instruction, 5)).rest()))
    }),
  )
})

test('words are made of hardware addresses only', () => {
  for (const text of ['', '66:00:00:00:00', '66:00:00:00:00:0g', '66:00:00:00:00:0a:']) {
    assert.throws(() => mac(text), TypeError)
    assert.throws(() => macWords(text), TypeError)
  }
})

function neighbourIn(body: Uint8Array): unknown {
  const row = readNeighbour(bodyOf(writer => writer.bytes(body)))
  return row === undefined ? undefined : [row.address, row.mac, row.state, row.proxy]
}

function entryIn(body: Uint8Array): unknown {
  const row = readFdbEntry(bodyOf(writer => writer.bytes(body)))
  return row === undefined ? undefined : [row.remote, row.mac, row.permanent]
}

function seen({ rows }: NeighbourColumnsReader, table: NeighbourTable): unknown[] {
  return Array.from({ length: rows.length }, (_, at) => {
    const of = rows.hasMac(at) ? formatMacWords(rows.macHighAt(at), rows.macLowAt(at)) : undefined
    const state = rows.stateAt(at)
    return table === 'neighbours'
      ? [rows.ipv4At(at), of, stateOf(state), rows.isProxy(at)]
      : [rows.ipv4At(at), of, isPermanent(state)]
  })
}
