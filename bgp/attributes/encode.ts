/** Attribute values → the attribute block of an UPDATE. RFC 4271 §4.3. */
import { Writer } from '@network/base/bytes/writer.ts'
import type { Dialect } from '../wire/dialect.ts'
import type { Attributes } from './attributes.ts'
import { EXTENDED_LENGTH, OPTIONAL, PARTIAL, ROWS, TRANSITIVE } from './rows.ts'

interface Encoded {
  readonly code: number
  readonly flags: number
  readonly body: Uint8Array
}

/** All attributes in ascending order of code. */
export function encodeAttributes(attributes: Attributes, dialect: Dialect): Uint8Array {
  const encoded = inOrder(attributes, dialect)
  const octets = encoded.reduce((sum, { body }) => sum + 4 + body.length, 0)
  const writer = new Writer('network', octets)
  for (const { code, flags, body } of encoded) {
    const wide = body.length > 255
    writer.u8(wide ? flags | EXTENDED_LENGTH : flags).u8(code)
    if (wide) writer.u16(body.length)
    else writer.u8(body.length)
    writer.bytes(body)
  }
  return writer.finish()
}

/** Equal texts mean equal attribute sets, next hops of either family and weights included. */
export function fingerprint(attributes: Attributes): string {
  const block = Buffer.from(encodeAttributes(attributes, { kind: 'internal', asnOctets: 4 })).toString('latin1')
  const { nextHop6, weight = 0 } = attributes
  const liked = weight === 0 ? '' : `#${weight}`
  return nextHop6 === undefined ? `${block}${liked}` : `${block}|${nextHop6.address}|${nextHop6.linkLocal ?? ''}${liked}`
}

function inOrder(attributes: Attributes, dialect: Dialect): readonly Encoded[] {
  const known = ROWS.flatMap(({ code, flags, encode }) => {
    const body = encode(attributes, dialect)
    return body === undefined ? [] : [{ code, flags, body }]
  })
  const opaque = attributes.opaque.map(({ code, body, partial }) => {
    const flags = OPTIONAL | TRANSITIVE | (partial ? PARTIAL : 0)
    return { code, flags, body }
  })
  return opaque.length === 0 ? known : [...known, ...opaque].toSorted((a, b) => a.code - b.code)
}
