import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Cursor, WireFault } from '@network/base/bytes/cursor.ts'
import fc from 'fast-check'
import { readLinkAddress } from './address.ts'
import { readLink } from './link.ts'
import { readNeighbour } from './neighbour.ts'
import { readNetconf } from './netconf.ts'
import { readRoute } from './route-message.ts'
import { fixture, readFixtures } from './testing/fixtures.ts'
import { bodyOf } from './testing/scripted-channel.ts'
import { type Ack, eachAttribute, eachMessage, readAck, readDone, TYPE, writeAttribute, writeMessage } from './wire.ts'

const answers = readFixtures('answers')

for (const { command, ack } of [
  {
    command: 'ip route add 10.5.0.0/16 via 10.77.0.1',
    ack: { errno: 101, text: 'Nexthop has invalid gateway', offset: undefined },
  },
  { command: 'ip route add 10.1.0.0/24 dev v0 metric 1024', ack: { errno: 17, text: undefined, offset: undefined } },
  { command: 'ip link add x0 type nosuchkind', ack: { errno: 95, text: 'Unknown device type', offset: undefined } },
]) {
  test(`the refusal of \`${command}\` is read with its words`, () => {
    const acks: Ack[] = []
    eachMessage(fixture(answers, command), message => acks.push(readAck(message)))
    assert.deepEqual(acks, [ack])
  })
}

test('an acknowledgement with the request cut off carries text and offset', () => {
  const body = bodyOf(writer => {
    writer.i32(-22).u32(60).u16(24).u16(5).u32(7).u32(0)
    writeAttribute(writer, 2, value => value.u32(36))
    writeAttribute(writer, 1, value => value.bytes(new TextEncoder().encode('no')).u8(0))
  })
  assert.deepEqual(readAck({ type: TYPE.error, flags: 0x300, sequence: 7, port: 0, body }), { errno: 22, text: 'no', offset: 36 })
})

test('the end of a dump may be a refusal', () => {
  const body = bodyOf(writer => writer.i32(-2))
  assert.equal(readDone({ type: TYPE.done, flags: 0, sequence: 1, port: 0, body }).errno, 2)
})

test('property: attributes come back as they were written', () => {
  const rows = fc.array(fc.tuple(fc.integer({ min: 0, max: 0x3fff }), fc.uint8Array({ maxLength: 40 })), { maxLength: 8 })
  fc.assert(
    fc.property(rows, written => {
      const body = bodyOf(writer => {
        for (const [type, bytes] of written) writeAttribute(writer, type, value => value.bytes(bytes))
      })
      const read: [number, Uint8Array][] = []
      eachAttribute(body, (type, value) => read.push([type, value.rest()]))
      assert.deepEqual(read, written)
    }),
  )
})

test('property: messages come back as they were written', () => {
  const u16 = fc.integer({ min: 0, max: 0xffff })
  const u32 = fc.integer({ min: 0, max: 0xffffffff })
  const row = fc.record(
    { type: u16, flags: u16, sequence: u32, port: u32, bytes: fc.uint8Array({ maxLength: 40 }) },
    { noNullPrototype: true },
  )
  fc.assert(
    fc.property(fc.array(row, { maxLength: 5 }), written => {
      const datagram = bodyOf(writer => {
        for (const { bytes, ...header } of written) writeMessage(writer, header, body => body.bytes(bytes))
      }).rest()
      const read: unknown[] = []
      eachMessage(datagram, ({ body, ...header }) => read.push({ ...header, bytes: body.rest() }))
      assert.deepEqual(read, written)
    }),
  )
})

const decoders = { readRoute, readLink, readLinkAddress, readNeighbour, readNetconf, readMessages, readAcks }

for (const [name, decode] of Object.entries(decoders)) {
  test(`property: ${name} makes a value or a WireFault of any bytes`, () => {
    const anything = fc.oneof(fc.uint8Array({ maxLength: 120 }), damaged())
    fc.assert(fc.property(anything, bytes => isTotal(() => decode(new Cursor(bytes, 'host')))))
  })
}

/** Bodies that the kernel sent, with an octet changed and the end cut off. */
function damaged(): fc.Arbitrary<Uint8Array> {
  const bodies = [...answers.values()].flat().map(datagram => datagram.subarray(16, 400))
  return fc.tuple(fc.constantFrom(...bodies), fc.nat(), fc.nat({ max: 255 }), fc.nat()).map(([body, at, octet, end]) => {
    const copy = Uint8Array.from(body)
    if (copy.length > 0) copy[at % copy.length] = octet
    return copy.subarray(0, end % (copy.length + 1))
  })
}

function isTotal(decode: () => unknown): void {
  try {
    decode()
  } catch (thrown) {
    assert.ok(thrown instanceof WireFault, String(thrown))
  }
}

function readMessages(cursor: Cursor): void {
  eachMessage(cursor.rest(), message => message.body.rest())
}

function readAcks(cursor: Cursor): void {
  readAck({ type: TYPE.error, flags: cursor.u16(), sequence: 0, port: 0, body: cursor })
}
