/** Framing: any segmentation gives the same messages; faults are decided from the header. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { type Framed, Framer } from './framing.ts'
import { frame } from './header.ts'
import { encodeNotification, notification } from './notification.ts'
import { encodeEndOfRib, KEEPALIVE } from './update.ts'

const STREAM = Buffer.concat([KEEPALIVE, encodeEndOfRib(), encodeNotification(notification(6, 2)), KEEPALIVE])

describe('framing', () => {
  test('is the same however the stream is cut', () => {
    const whole = framesOf([STREAM])
    assert.deepEqual(whole.map(said), ['keepalive', 'update', 'notification', 'keepalive'])
    fc.assert(
      fc.property(fc.array(fc.nat(STREAM.length), { maxLength: 12 }), cuts => {
        const at = [0, ...cuts.toSorted((a, b) => a - b), STREAM.length]
        const chunks = at.slice(1).map((end, index) => STREAM.subarray(at[index], end))
        assert.deepEqual(framesOf(chunks), whole)
      }),
    )
    assert.deepEqual(framesOf([...STREAM].map(octet => Uint8Array.of(octet))), whole)
  })

  test('longer messages are taken once both said so, but for OPEN and KEEPALIVE', () => {
    const long = frame('update', new Uint8Array(65535 - 19))
    assert.deepEqual(framesOf([long]).map(said), ['1/2 ffff'])
    for (const [kind, verdict] of [
      ['update', 'update'],
      ['notification', 'notification'],
      ['routeRefresh', 'routeRefresh'],
      ['open', '1/2 1001'],
      ['keepalive', '1/2 1001'],
    ] as const) {
      const framer = new Framer()
      framer.allowExtended()
      const bytes = kind === 'update' ? long : frame(kind, new Uint8Array(4097 - 19))
      assert.deepEqual([...framer.push(bytes)].map(said), [verdict])
    }
  })

  const faults: readonly { name: string; bytes: Uint8Array; says: string }[] = [
    { name: 'marker', bytes: changed(KEEPALIVE, 15, 0xfe), says: '1/1 ' },
    { name: 'length 18', bytes: changed(KEEPALIVE, 17, 18), says: '1/2 0012' },
    { name: 'length 4097', bytes: changed(changed(encodeEndOfRib(), 16, 0x10), 17, 0x01), says: '1/2 1001' },
    { name: 'KEEPALIVE with a body', bytes: frame('keepalive', Uint8Array.of(0)), says: '1/2 0014' },
    { name: 'short OPEN', bytes: frame('open', new Uint8Array(9)), says: '1/2 001c' },
    { name: 'short UPDATE', bytes: frame('update', new Uint8Array(3)), says: '1/2 0016' },
    { name: 'short NOTIFICATION', bytes: frame('notification', new Uint8Array(1)), says: '1/2 0014' },
    { name: 'type 0', bytes: changed(KEEPALIVE, 18, 0), says: '1/3 00' },
    { name: 'type 200', bytes: changed(KEEPALIVE, 18, 200), says: '1/3 c8' },
  ]
  for (const { name, bytes, says } of faults)
    test(`${name}: ${says}`, () => {
      assert.deepEqual(framesOf([KEEPALIVE, bytes, KEEPALIVE]).map(said), ['keepalive', says])
      assert.deepEqual(framesOf([bytes.subarray(0, 19)]).map(said), [says], 'from the header alone')
    })

  test('any bytes: frames, then at most one fault', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), bytes => {
        const kinds = framesOf([STREAM, bytes]).map(({ is }) => is)
        assert.equal(kinds.slice(0, -1).includes('fault'), false)
      }),
    )
  })
})

function framesOf(chunks: readonly Uint8Array[]): readonly Framed[] {
  const framer = new Framer()
  return chunks.flatMap(chunk => [...framer.push(chunk)]).map(copied)
}

function copied(framed: Framed): Framed {
  if (framed.is === 'fault') return framed
  return { is: 'frame', frame: { kind: framed.frame.kind, body: Uint8Array.from(framed.frame.body) } }
}

function said(framed: Framed): string {
  if (framed.is === 'frame') return framed.frame.kind
  const { code, subcode, data } = framed.notification
  return `${code}/${subcode} ${Buffer.from(data).toString('hex')}`
}

function changed(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const copy = Uint8Array.from(bytes)
  copy[at] = value
  return copy
}
