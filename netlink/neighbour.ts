/** IPv4 neighbours (the ARP table), as rtnetlink lists, sets and removes them. linux/neighbour.h, rtnetlink(7). */
import type { Cursor } from '@network/base/bytes/cursor.ts'
import type { Writer } from '@network/base/bytes/writer.ts'
import { formatIpv4, type Ipv4, toIpv4 } from '@network/base/net/ipv4.ts'
import { type IfIndex, toIfIndex } from './link.ts'
import { formatMac, type MacWords, mac } from './mac.ts'
import {
  AF_INET,
  eachAttribute,
  FLAG,
  type Instruction,
  MessageTemplate,
  readIpv4,
  TYPE,
  writeAttribute,
  writeIpv4,
} from './wire.ts'

/** One bit each in the kernel's word, from the lowest. */
const STATES = ['incomplete', 'reachable', 'stale', 'delay', 'probe', 'failed', 'noarp', 'permanent'] as const
export type NeighbourState = (typeof STATES)[number] | 'none'

export interface Neighbour {
  readonly link: IfIndex
  readonly address: Ipv4
  /** Undefined while it is not resolved. */
  readonly mac: string | undefined
  readonly state: NeighbourState
  /** Not a neighbour but an address that this node answers for. */
  readonly proxy: boolean
}

/** Sets an entry that neither ages nor is asked for on the wire. */
export function setNeighbour(link: IfIndex, address: Ipv4, hardware: string): Instruction {
  const row: Neighbour = { link, address, mac: hardware, state: 'permanent', proxy: false }
  return {
    ...SET,
    doing: 'set neighbour',
    on: () => `${formatNeighbour(row)} lladdr ${hardware}`,
    write: writer => writeNeighbour(writer, row),
  }
}

/** What `setNeighbour` sends, for many entries of one link. */
export class NeighbourPattern {
  readonly #template: MessageTemplate

  constructor(link: IfIndex) {
    this.#template = new MessageTemplate(SET, writer =>
      writeNeighbour(writer, { link, address: toIpv4(0), mac: '00:00:00:00:00:00', state: 'permanent', proxy: false }),
    )
  }

  write(writer: Writer, address: Ipv4, { high, low }: MacWords, sequence: number): void {
    const body = this.#template.write(writer, sequence)
    writer.patchU32be(body + BODY_AT.address, address)
    writer.patchU32be(body + BODY_AT.mac, high)
    writer.patchU16be(body + BODY_AT.mac + 4, low)
  }
}
const SET = { type: TYPE.newNeighbour, flags: FLAG.create | FLAG.replace }
/** Where values are in the body: `struct ndmsg`, an address and a hardware address, each in an attribute. */
const BODY_AT = { address: 16, mac: 24 }

/** Removes an entry; ENOENT when there is none. */
export function deleteNeighbour(link: IfIndex, address: Ipv4): Instruction {
  const row: Neighbour = { link, address, mac: undefined, state: 'permanent', proxy: false }
  return {
    type: TYPE.deleteNeighbour,
    flags: 0,
    doing: 'delete neighbour',
    on: () => formatNeighbour(row),
    write: writer => writeNeighbour(writer, row),
  }
}

/** `10.0.0.2 dev #3`. */
export function formatNeighbour(row: Neighbour): string {
  return `${formatIpv4(row.address)} dev #${row.link}`
}

const ATTR = { address: 1, mac: 2, filterLink: 8 }
const PROXY = 0x8

/** Writes the body of a neighbour message, attributes in the order in which `ip neighbour` writes them. */
export function writeNeighbour(writer: Writer, row: Neighbour): void {
  writer
    .u8(AF_INET)
    .u8(0)
    .u16(0)
    .i32(row.link)
    .u16(bitOf(row.state))
    .u8(row.proxy ? PROXY : 0)
    .u8(0)
  writeIpv4(writer, ATTR.address, row.address)
  const hardware = row.mac
  if (hardware !== undefined) writeAttribute(writer, ATTR.mac, value => value.bytes(mac(hardware)))
}

/** Reads the body of a neighbour message; undefined when it is not about IPv4. */
export function readNeighbour(body: Cursor): Neighbour | undefined {
  const family = body.u8()
  body.skip(3)
  const link = toIfIndex(body.i32())
  const word = body.u16()
  const flags = body.u8()
  body.skip(1)
  if (family !== AF_INET) return undefined
  let address: Ipv4 | undefined
  let hardware: string | undefined
  eachAttribute(body, (type, value) => {
    if (type === ATTR.address) address = readIpv4(value)
    if (type === ATTR.mac && value.left === 6) hardware = formatMac(value.rest())
  })
  // The settings of a table come by the same message and have no address.
  if (address === undefined) return undefined
  return { link, address, mac: hardware, state: stateOf(word), proxy: (flags & PROXY) !== 0 }
}

/** Asks for the entries of one link, or of all. */
export function writeNeighbourQuery(writer: Writer, link?: IfIndex): void {
  writer.u8(AF_INET).u8(0).u16(0).i32(0).u16(0).u8(0).u8(0)
  if (link !== undefined) writeAttribute(writer, ATTR.filterLink, value => value.u32(link))
}

function bitOf(state: NeighbourState): number {
  return state === 'none' ? 0 : 1 << STATES.indexOf(state)
}

/** Of the bits in `struct ndmsg`. */
export function stateOf(word: number): NeighbourState {
  return STATES.find((_, bit) => (word & (1 << bit)) !== 0) ?? 'none'
}
