/** IPv4 addresses of links, as rtnetlink lists, adds and removes them. linux/if_addr.h, rtnetlink(7). */
import { type Cursor, WireFault } from '@network/base/bytes/cursor.ts'
import type { Writer } from '@network/base/bytes/writer.ts'
import { formatIpv4, type Ipv4 } from '@network/base/net/ipv4.ts'
import { type IfIndex, toIfIndex } from './link.ts'
import { SCOPE } from './route.ts'
import {
  AF_INET,
  eachAttribute,
  FLAG,
  type Instruction,
  readIpv4,
  readText,
  TYPE,
  writeAttribute,
  writeIpv4,
  writeText,
} from './wire.ts'

export interface LinkAddress {
  readonly link: IfIndex
  /** The address itself (`local`). */
  readonly address: Ipv4
  /** Of the network that it is in. */
  readonly length: number
  readonly scope: number
  /** The other end, on links that have one; undefined when it is the address itself. */
  readonly peer: Ipv4 | undefined
  readonly broadcast: Ipv4 | undefined
  /** At most 15 octets, the link's name unless somebody chose another. */
  readonly label: string | undefined
  /** A further address in the same network: goes when the first one goes. */
  readonly secondary: boolean
}

export interface AddressSpec {
  readonly link: IfIndex
  readonly address: Ipv4
  readonly length: number
  readonly scope?: number
  readonly label?: string
  readonly broadcast?: Ipv4
}

/** Fills in scope global (host for loopback addresses) and no label. */
export function toLinkAddress(spec: AddressSpec): LinkAddress {
  return {
    link: spec.link,
    address: spec.address,
    length: spec.length,
    scope: spec.scope ?? (spec.address >>> 24 === 127 ? SCOPE.host : SCOPE.universe),
    peer: undefined,
    broadcast: spec.broadcast,
    label: spec.label,
    secondary: false,
  }
}

/** Adds an address; EEXIST when the link has it. */
export function addAddress(address: LinkAddress): Instruction {
  return addressInstruction('add address', TYPE.newAddress, FLAG.create | FLAG.exclusive, address)
}

/** Removes an address; EADDRNOTAVAIL when the link has it not. */
export function deleteAddress(address: LinkAddress): Instruction {
  return addressInstruction('delete address', TYPE.deleteAddress, 0, address)
}

/** `10.0.0.1/24 dev #3`. */
export function formatAddress(address: LinkAddress): string {
  return `${formatIpv4(address.address)}/${address.length} dev #${address.link}`
}

const ATTR = { address: 1, local: 2, label: 3, broadcast: 4, flags: 8 }
const SECONDARY = 0x1

/** Writes the body of an address message, attributes in the order in which `ip address` writes them. */
export function writeLinkAddress(writer: Writer, row: LinkAddress): void {
  writer.u8(AF_INET).u8(row.length).u8(0).u8(row.scope).u32(row.link)
  writeIpv4(writer, ATTR.local, row.address)
  const { broadcast, label } = row
  if (broadcast !== undefined) writeIpv4(writer, ATTR.broadcast, broadcast)
  if (label !== undefined) writeAttribute(writer, ATTR.label, value => writeText(value, label))
  writeIpv4(writer, ATTR.address, row.peer ?? row.address)
}

/** Reads the body of an address message; undefined when it is not about IPv4. */
export function readLinkAddress(body: Cursor): LinkAddress | undefined {
  const family = body.u8()
  const length = body.u8()
  let flags = body.u8()
  const scope = body.u8()
  const link = toIfIndex(body.u32())
  if (family !== AF_INET) return undefined
  if (length > 32) throw new WireFault('IPv4 prefix length', { wanted: length, left: 32 })
  let near: Ipv4 | undefined
  let far: Ipv4 | undefined
  let broadcast: Ipv4 | undefined
  let label: string | undefined
  eachAttribute(body, (type, value) => {
    if (type === ATTR.local) near = readIpv4(value)
    else if (type === ATTR.address) far = readIpv4(value)
    else if (type === ATTR.broadcast) broadcast = readIpv4(value)
    else if (type === ATTR.label) label = readText(value)
    else if (type === ATTR.flags) flags = value.u32()
  })
  const address = near ?? far
  if (address === undefined) throw new WireFault('address message without an address', { wanted: 4, left: 0 })
  return {
    link,
    address,
    length,
    scope,
    peer: far === address ? undefined : far,
    broadcast,
    label,
    secondary: (flags & SECONDARY) !== 0,
  }
}

/** Asks for the addresses of one link, or of all. */
export function writeAddressQuery(writer: Writer, link?: IfIndex): void {
  writer
    .u8(AF_INET)
    .u8(0)
    .u8(0)
    .u8(0)
    .u32(link ?? 0)
}

function addressInstruction(doing: string, type: number, flags: number, address: LinkAddress): Instruction {
  return { type, flags, doing, on: () => formatAddress(address), write: writer => writeLinkAddress(writer, address) }
}
