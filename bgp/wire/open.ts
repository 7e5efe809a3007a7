/** OPEN: who the speaker is and what it can do. RFC 4271 §4.2, RFC 5492, RFC 6793, RFC 9072. */
import { Cursor, WireFault } from '@network/base/bytes/cursor.ts'
import { Writer } from '@network/base/bytes/writer.ts'
import { type Ipv4, toIpv4 } from '@network/base/net/ipv4.ts'
import { type Seconds, seconds } from '@network/base/time/units.ts'
import { type Capabilities, encodeCapabilities, NO_CAPABILITIES, readCapabilities } from './capabilities.ts'
import { AS_TRANS } from './dialect.ts'
import { frame, LONGEST_MESSAGE } from './header.ts'
import { type Notification, notification, OPEN_FAULT } from './notification.ts'

export interface Open {
  /** The two-octet field: 23456 where the AS does not fit. */
  readonly myAs: number
  readonly holdTime: Seconds
  readonly routerId: Ipv4
  readonly capabilities: Capabilities
}

export type DecodedOpen =
  | { readonly ok: true; readonly value: Open }
  | { readonly ok: false; readonly notification: Notification; readonly says: string }

const VERSION = 4
const CAPABILITIES_PARAMETER = 2
const EXTENDED = 255

/** The AS that the sender really is in. */
export function asnOf(open: Open): number {
  return open.capabilities.fourOctetAs ?? open.myAs
}

/** What goes into the two-octet field for an AS. */
export function myAsOf(asn: number): number {
  return asn > 0xffff ? AS_TRANS : asn
}

export function encodeOpen(open: Open): Uint8Array {
  const capabilities = encodeCapabilities(open.capabilities)
  const writer = new Writer('network', LONGEST_MESSAGE).u8(VERSION).u16(open.myAs).u16(open.holdTime).u32(open.routerId)
  if (capabilities.length === 0) writer.u8(0)
  else if (capabilities.length <= 253)
    writer
      .u8(capabilities.length + 2)
      .u8(CAPABILITIES_PARAMETER)
      .u8(capabilities.length)
  else
    writer
      .u8(EXTENDED)
      .u8(EXTENDED)
      .u16(capabilities.length + 3)
      .u8(CAPABILITIES_PARAMETER)
      .u16(capabilities.length)
  return frame('open', writer.bytes(capabilities).finish())
}

/** Reads an OPEN body of any bytes; whether we like what it says is for the state machine. */
export function decodeOpen(body: Uint8Array): DecodedOpen {
  try {
    return readOpen(new Cursor(body))
  } catch (thrown) {
    if (thrown instanceof WireFault) return refuse(OPEN_FAULT.unspecific, `malformed OPEN: ${thrown.message}`)
    throw thrown
  }
}

function readOpen(cursor: Cursor): DecodedOpen {
  const version = cursor.u8()
  if (version !== VERSION) return refuse(OPEN_FAULT.badVersion, `BGP version ${version}`, Uint8Array.of(0, VERSION))
  const myAs = cursor.u16()
  const holdTime = seconds(cursor.u16())
  const routerId = toIpv4(cursor.u32())
  const { parameters, wide } = readParameterBlock(cursor)
  if (cursor.left > 0) return refuse(OPEN_FAULT.unspecific, `${cursor.left} octets behind the optional parameters`)
  let capabilities = NO_CAPABILITIES
  while (parameters.left > 0) {
    const type = parameters.u8()
    const value = parameters.sub(wide ? parameters.u16() : parameters.u8())
    if (type !== CAPABILITIES_PARAMETER) return refuse(OPEN_FAULT.unknownParameter, `optional parameter ${type}`)
    capabilities = readCapabilities(value, capabilities)
  }
  return { ok: true, value: { myAs, holdTime, routerId, capabilities } }
}

/** RFC 9072 §2: a first parameter of type 255 announces two-octet lengths, whatever the one-octet length says but zero. */
function readParameterBlock(cursor: Cursor): { readonly parameters: Cursor; readonly wide: boolean } {
  const length = cursor.u8()
  if (length === 0) return { parameters: cursor.sub(0), wide: false }
  const rest = cursor.rest()
  const ahead = new Cursor(rest)
  if (ahead.u8() === EXTENDED) return { parameters: exactly(ahead, ahead.u16()), wide: true }
  return { parameters: exactly(new Cursor(rest), length), wide: false }
}

function exactly(cursor: Cursor, length: number): Cursor {
  if (cursor.left !== length) throw new WireFault('optional parameters', { wanted: length, left: cursor.left })
  return cursor
}

function refuse(subcode: number, says: string, data?: Uint8Array): DecodedOpen {
  return { ok: false, notification: notification(OPEN_FAULT.code, subcode, data), says }
}
