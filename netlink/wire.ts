/** The frame of netlink: messages, attributes, acknowledgements. RFC 3549 §2.2-2.3, linux/netlink.h. */
import { Cursor, WireFault } from '@network/base/bytes/cursor.ts'
import { Writer } from '@network/base/bytes/writer.ts'
import { type Ipv4, toIpv4 } from '@network/base/net/ipv4.ts'
import type { FaultDetail } from '@network/base/run/fault.ts'

export const FLAG = {
  request: 0x1,
  ack: 0x4,
  /** The kernel's table changed while it was being dumped: rows may be missing or double. */
  dumpInterrupted: 0x10,
  /** In requests for a list. */
  dump: 0x300,
  replace: 0x100,
  exclusive: 0x200,
  create: 0x400,
  /** In acknowledgements: the request is echoed without its body. */
  capped: 0x100,
  /** In acknowledgements: attributes follow. */
  extended: 0x200,
} as const

export const TYPE = {
  noop: 1,
  error: 2,
  done: 3,
  overrun: 4,
  newLink: 16,
  deleteLink: 17,
  getLink: 18,
  newAddress: 20,
  deleteAddress: 21,
  getAddress: 22,
  newRoute: 24,
  deleteRoute: 25,
  getRoute: 26,
  newNeighbour: 28,
  deleteNeighbour: 29,
  getNeighbour: 30,
  newNetconf: 80,
  deleteNetconf: 81,
  getNetconf: 82,
} as const

export const AF_INET = 2
export const AF_BRIDGE = 7
export const HEADER_OCTETS = 16
const ATTRIBUTE_HEADER_OCTETS = 4
/** Of an attribute that holds 32 bits. */
const WORD_ATTRIBUTE_OCTETS = 8
/** Without the two bits that say "nested" and "network order". */
const ATTRIBUTE_TYPE_MASK = 0x3fff
const EXTENDED_TEXT = 1
const EXTENDED_OFFSET = 2

export interface MessageHeader {
  readonly type: number
  readonly flags: number
  readonly sequence: number
  /** The socket that asked for it: 0 in requests and in what the kernel does by itself. */
  readonly port: number
}

export interface Message extends MessageHeader {
  readonly body: Cursor
}

/** One change for the kernel, with words for the fault when it is refused. */
export interface Instruction {
  readonly type: number
  /** Without request and ack, which the client adds. */
  readonly flags: number
  /** The act as a verb phrase: `replace route`. */
  readonly doing: string
  /** The object as its user knows it. */
  on(): string
  write(writer: Writer): void
}

/** Many changes, which whoever wants them writes and describes one by one: none of them need be an object. */
export interface Changes {
  readonly length: number
  /** Writes the request of one, header and all. */
  write(at: number, writer: Writer, sequence: number): void
  /** Words for the fault when it is refused. */
  describe(at: number): Pick<FaultDetail, 'doing' | 'on'>
}

/** The kernel's answer to one message, or to a whole dump. */
export interface Ack {
  /** 0 for success, else positive. */
  readonly errno: number
  /** The kernel's own words, where it has any. */
  readonly text: string | undefined
  /** Octets from the start of the request to the attribute that it dislikes. */
  readonly offset: number | undefined
}

/** Writes one message; its length is known and patched afterwards. `writer` must be in host order. */
export function writeMessage(writer: Writer, header: MessageHeader, body: (writer: Writer) => void): void {
  const from = writer.align(4).length
  writer.u32(0).u16(header.type).u16(header.flags).u32(header.sequence).u32(header.port)
  body(writer)
  writer.patchU32(from, writer.length - from)
  writer.align(4)
}

/** Writes the message that carries out an instruction; the kernel answers it when something is amiss. */
export function writeInstruction(writer: Writer, instruction: Instruction, sequence: number): void {
  const { type, flags } = instruction
  writeMessage(writer, { type, flags: flags | FLAG.request, sequence, port: 0 }, body => instruction.write(body))
}

/** A request that is written many times, with other values in some places. */
export class MessageTemplate {
  readonly #words: Int32Array

  /** `flags` without request, which is added; the body is a multiple of four octets. */
  constructor({ type, flags }: Pick<MessageHeader, 'type' | 'flags'>, body: (writer: Writer) => void) {
    const writer = new Writer('host')
    writeMessage(writer, { type, flags: flags | FLAG.request, sequence: 0, port: 0 }, body)
    this.#words = new Int32Array(writer.finish().buffer)
  }

  /** Writes it as it is but for its sequence number, and returns where its body begins. */
  write(writer: Writer, sequence: number): number {
    const from = writer.length
    writer.words(this.#words).patchU32(from + SEQUENCE_AT, sequence)
    return from + HEADER_OCTETS
  }
}
const SEQUENCE_AT = 8

/** Has the kernel answer a written request even when nothing is amiss. */
export function askForAck(request: Uint8Array): void {
  const flags = new Uint16Array(request.buffer, request.byteOffset + FLAGS_AT, 1)
  flags[0] = (flags[0] ?? 0) | FLAG.ack
}
const FLAGS_AT = 6

/** Visits the messages of one datagram in order. */
export function eachMessage(datagram: Uint8Array, visit: (message: Message) => void): void {
  const cursor = new Cursor(datagram, 'host')
  while (cursor.left > 0) visit(readMessage(cursor))
}

/** Reads one message and moves behind it. */
export function readMessage(cursor: Cursor): Message {
  const length = cursor.u32()
  const type = cursor.u16()
  const flags = cursor.u16()
  const sequence = cursor.u32()
  const port = cursor.u32()
  if (length < HEADER_OCTETS) throw new WireFault('netlink message length', { wanted: HEADER_OCTETS, left: length })
  const body = cursor.sub(length - HEADER_OCTETS)
  skipPadding(cursor, length)
  return { type, flags, sequence, port, body }
}

/** Writes one attribute around what `value` writes. */
export function writeAttribute(writer: Writer, type: number, value: (writer: Writer) => void): void {
  const from = writer.length
  writer.u16(0).u16(type)
  value(writer)
  writer.patchU16(from, writer.length - from)
  writer.align(4)
}

/** Visits the attributes to the end of `cursor`; `value` is bounded to its attribute. */
export function eachAttribute(cursor: Cursor, visit: (type: number, value: Cursor) => void): void {
  while (cursor.left > 0) {
    const length = cursor.u16()
    const type = cursor.u16() & ATTRIBUTE_TYPE_MASK
    if (length < ATTRIBUTE_HEADER_OCTETS)
      throw new WireFault('netlink attribute length', { wanted: ATTRIBUTE_HEADER_OCTETS, left: length })
    visit(type, cursor.sub(length - ATTRIBUTE_HEADER_OCTETS))
    skipPadding(cursor, length)
  }
}

/** Reads the body of an error message (type `error`): errno, the echoed header, and the extended text. */
export function readAck(message: Message): Ack {
  const { body, flags } = message
  const errno = Math.abs(body.i32())
  const echoed = body.u32()
  body.skip(HEADER_OCTETS - 4)
  if ((flags & FLAG.extended) === 0) return { errno, text: undefined, offset: undefined }
  // An acknowledgement of success echoes no body either.
  if ((flags & FLAG.capped) === 0 && errno !== 0) {
    if (echoed < HEADER_OCTETS) throw new WireFault('echoed netlink message length', { wanted: HEADER_OCTETS, left: echoed })
    body.skip(alignedTo4(echoed) - HEADER_OCTETS)
  }
  return { errno, ...readExtended(body) }
}

/** Reads the body of the message that ends a dump (type `done`), which may carry an error. */
export function readDone(message: Message): Ack {
  const { body, flags } = message
  if (body.left === 0) return { errno: 0, text: undefined, offset: undefined }
  const errno = Math.max(0, -body.i32())
  return { errno, ...((flags & FLAG.extended) === 0 ? { text: undefined, offset: undefined } : readExtended(body)) }
}

/** Writes an attribute that holds an IPv4 address, which is in network order where all else is in the host's. */
export function writeIpv4(writer: Writer, type: number, address: Ipv4): void {
  writer.u16(WORD_ATTRIBUTE_OCTETS).u16(type).u32be(address)
}

export function readIpv4(value: Cursor): Ipv4 {
  return toIpv4(value.u32be())
}

/** Writes an attribute that holds 32 bits. */
export function writeNumber(writer: Writer, type: number, number: number): void {
  writer.u16(WORD_ATTRIBUTE_OCTETS).u16(type).u32(number)
}

/** Reads text that ends in a zero octet, as the kernel writes names. */
export function readText(value: Cursor): string {
  const bytes = value.rest()
  const end = bytes.indexOf(0)
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end))
}

/** Writes text with the zero octet that the kernel expects. */
export function writeText(writer: Writer, text: string): void {
  writer.bytes(new TextEncoder().encode(text)).u8(0)
}

function readExtended(body: Cursor): { text: string | undefined; offset: number | undefined } {
  let text: string | undefined
  let offset: number | undefined
  eachAttribute(body, (type, value) => {
    if (type === EXTENDED_TEXT) text = readText(value)
    if (type === EXTENDED_OFFSET) offset = value.u32()
  })
  return { text, offset }
}

/** Moves to the next multiple of four; the last message or attribute need not be padded. */
export function skipPadding(cursor: Cursor, length: number): void {
  cursor.skip(Math.min(alignedTo4(length) - length, cursor.left))
}

function alignedTo4(length: number): number {
  return Math.ceil(length / 4) * 4
}
