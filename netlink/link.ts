/** Links, as rtnetlink lists, makes and changes them. linux/if_link.h, rtnetlink(7). */
import { type Cursor, WireFault } from '@network/base/bytes/cursor.ts'
import type { Writer } from '@network/base/bytes/writer.ts'
import { formatMac, mac } from './mac.ts'
import { readVxlanData, type Vxlan, type VxlanChoice, writeVxlanData } from './vxlan.ts'
import { eachAttribute, FLAG, type Instruction, readText, TYPE, writeAttribute, writeText } from './wire.ts'

declare const ifIndexUnit: unique symbol
/** The kernel's number of a link inside one namespace: good until the link is gone, so never a part of what is desired. */
export type IfIndex = number & { readonly [ifIndexUnit]: true }

/** Mints an index from a number that the kernel gave. */
export function toIfIndex(value: number): IfIndex {
  return value as IfIndex
}

const OPER_STATES = ['unknown', 'notpresent', 'down', 'lowerlayerdown', 'testing', 'dormant', 'up'] as const
/** RFC 2863; a tunnel or an idle veth is `unknown` and works all the same. */
export type OperState = (typeof OPER_STATES)[number]

export interface Link {
  readonly index: IfIndex
  readonly name: string
  /** `veth`, `ipip`, `bridge`, …; undefined for hardware and loopback. */
  readonly kind: string | undefined
  /** Octets. */
  readonly mtu: number
  /** What the administrator set (IFF_UP). */
  readonly up: boolean
  /** What the wire says (IFF_LOWER_UP: there is a carrier). */
  readonly carrier: boolean
  readonly loopback: boolean
  readonly operState: OperState
  /** Of Ethernet-like links. */
  readonly mac: string | undefined
  /** The other end of a veth, the device under a VLAN. */
  readonly peer: LinkPeer | undefined
  /** The bridge or bond that the link belongs to. */
  readonly master: IfIndex | undefined
  /** Of links of kind `vxlan`. */
  readonly vxlan: Vxlan | undefined
}

export interface LinkPeer {
  readonly index: IfIndex
  /** The kernel's number for the other namespace, when it is another one; −1 when it has none. */
  readonly namespaceId: number | undefined
}

/** What may be chosen when a link is made. */
export interface LinkChoice {
  readonly name: string
  /** Octets. */
  readonly mtu?: number
  readonly mac?: string
  readonly up?: boolean
}

/** The other end of a veth. It is born down: the kernel refuses to set it up before it is joined to the first. */
export interface PeerChoice extends Omit<LinkChoice, 'up'> {
  readonly born: Birthplace
}

/** Where the other end of a veth is born: an open namespace, a process in it, or right here. */
export type Birthplace = { readonly fd: number } | { readonly pid: number } | 'here'

export type LinkRef = IfIndex | string

export interface LinkChange {
  readonly up?: boolean
  /** Octets. */
  readonly mtu?: number
  readonly mac?: string
}

const ATTR = {
  mac: 1,
  name: 3,
  mtu: 4,
  link: 5,
  master: 10,
  operState: 16,
  linkInfo: 18,
  pid: 19,
  netnsFd: 28,
  filter: 29,
  netnsId: 37,
}
const INFO = { kind: 1, data: 2, vethPeer: 1 }
const IFF = { up: 0x1, loopback: 0x8, lowerUp: 0x10000 }
const AF_UNSPEC = 0
const SKIP_STATISTICS = 8

/** Makes a veth pair in one message; the peer is born in its namespace, with its name, so no other name is ever seen there. */
export function addVeth(host: LinkChoice, peer: PeerChoice): Instruction {
  return creation(host, 'veth', writer =>
    writeAttribute(writer, INFO.data, data =>
      writeAttribute(data, INFO.vethPeer, end => {
        writeHeader(end, 0, { flags: 0, change: 0 })
        writeChoice(end, peer, peer.born)
      }),
    ),
  )
}

/** Makes a link of a kind that needs nothing more to be said: `ipip`, `bridge`. An ipip link named `tunl0` may be there already: EEXIST. */
export function addLink(link: LinkChoice & { readonly kind: string }): Instruction {
  return creation(link, link.kind, () => undefined)
}

/** Makes a VXLAN device that has no peers yet. EEXIST: a device of that name, or one with that VNI and port, is there. */
export function addVxlan(link: LinkChoice, choice: VxlanChoice): Instruction {
  return creation(link, 'vxlan', writer => writeAttribute(writer, INFO.data, data => writeVxlanData(data, choice)))
}

/** Changes what is given and nothing else. */
export function setLink(link: LinkRef, change: LinkChange): Instruction {
  return {
    type: TYPE.newLink,
    flags: 0,
    doing: 'set link',
    on: () => [describeRef(link), ...wordsOf(change)].join(' '),
    write: writer => {
      writeHeader(writer, indexOf(link), upFlags(change.up))
      if (change.mac !== undefined) writeMac(writer, change.mac)
      if (change.mtu !== undefined) writeMtu(writer, change.mtu)
      writeRefName(writer, link)
    },
  }
}

/** Removes a link; the other end of a veth goes with it. */
export function deleteLink(link: LinkRef): Instruction {
  return {
    type: TYPE.deleteLink,
    flags: 0,
    doing: 'delete link',
    on: () => describeRef(link),
    write: writer => {
      writeHeader(writer, indexOf(link), { flags: 0, change: 0 })
      writeRefName(writer, link)
    },
  }
}

/** Asks for one link, or for all of them. */
export function writeLinkQuery(writer: Writer, link?: LinkRef): void {
  writeHeader(writer, link === undefined ? 0 : indexOf(link), { flags: 0, change: 0 })
  writeAttribute(writer, ATTR.filter, value => value.u32(SKIP_STATISTICS))
  if (link !== undefined) writeRefName(writer, link)
}

/** Reads the body of a link message; undefined when it speaks of a bridge's port and not of the link itself. */
export function readLink(body: Cursor): Link | undefined {
  const family = body.u8()
  body.skip(3)
  const index = toIfIndex(body.i32())
  const flags = body.u32()
  body.skip(4)
  if (family !== AF_UNSPEC) return undefined
  const seen: LinkAttributes = {
    name: undefined,
    mtu: 0,
    operState: 0,
    mac: undefined,
    kind: undefined,
    link: undefined,
    namespaceId: undefined,
    master: undefined,
    vxlan: undefined,
  }
  eachAttribute(body, (type, value) => readLinkAttribute(seen, type, value))
  if (seen.name === undefined) throw new WireFault('link without a name', { wanted: 1, left: 0 })
  const { name, mtu, kind, master, vxlan } = seen
  return {
    index,
    name,
    kind,
    mtu,
    up: (flags & IFF.up) !== 0,
    carrier: (flags & IFF.lowerUp) !== 0,
    loopback: (flags & IFF.loopback) !== 0,
    operState: OPER_STATES[seen.operState] ?? 'unknown',
    mac: seen.mac,
    // Tunnels write their underlying device here, and 0 for none.
    peer: seen.link === undefined || seen.link === 0 ? undefined : { index: toIfIndex(seen.link), namespaceId: seen.namespaceId },
    master,
    vxlan,
  }
}

interface LinkAttributes {
  name: string | undefined
  mtu: number
  operState: number
  mac: string | undefined
  kind: string | undefined
  link: number | undefined
  namespaceId: number | undefined
  master: IfIndex | undefined
  vxlan: Vxlan | undefined
}

function readLinkAttribute(seen: LinkAttributes, type: number, value: Cursor): void {
  switch (type) {
    case ATTR.name:
      seen.name = readText(value)
      return
    case ATTR.mtu:
      seen.mtu = value.u32()
      return
    case ATTR.operState:
      seen.operState = value.u8()
      return
    case ATTR.mac:
      seen.mac = value.left === 6 ? formatMac(value.rest()) : undefined
      return
    case ATTR.link:
      seen.link = value.i32()
      return
    case ATTR.netnsId:
      seen.namespaceId = value.i32()
      return
    case ATTR.master:
      seen.master = toIfIndex(value.i32())
      return
    case ATTR.linkInfo:
      eachAttribute(value, (inner, kind) => {
        if (inner === INFO.kind) seen.kind = readText(kind)
        // The kind comes before its data.
        if (inner === INFO.data && seen.kind === 'vxlan') seen.vxlan = readVxlanData(kind)
      })
  }
}

function creation(link: LinkChoice, kind: string, writeData: (writer: Writer) => void): Instruction {
  return {
    type: TYPE.newLink,
    flags: FLAG.create | FLAG.exclusive,
    doing: `add ${kind} link`,
    on: () => link.name,
    write: writer => {
      writeHeader(writer, 0, upFlags(link.up))
      writeChoice(writer, link)
      writeAttribute(writer, ATTR.linkInfo, info => {
        writeAttribute(info, INFO.kind, value => value.bytes(new TextEncoder().encode(kind)))
        writeData(info)
      })
    },
  }
}

/** `struct ifinfomsg`. */
function writeHeader(writer: Writer, index: number, { flags, change }: { flags: number; change: number }): void {
  writer.u8(AF_UNSPEC).u8(0).u16(0).i32(index).u32(flags).u32(change)
}

function upFlags(up: boolean | undefined): { flags: number; change: number } {
  return up === undefined ? { flags: 0, change: 0 } : { flags: up ? IFF.up : 0, change: IFF.up }
}

/** In the order in which `ip link` writes them. */
function writeChoice(writer: Writer, choice: Omit<LinkChoice, 'up'>, born: Birthplace = 'here'): void {
  if (choice.mac !== undefined) writeMac(writer, choice.mac)
  if (choice.mtu !== undefined) writeMtu(writer, choice.mtu)
  writeBirthplace(writer, born)
  writeName(writer, choice.name)
}

function writeBirthplace(writer: Writer, born: Birthplace): void {
  if (born === 'here') return
  if ('fd' in born) writeAttribute(writer, ATTR.netnsFd, value => value.u32(born.fd))
  else writeAttribute(writer, ATTR.pid, value => value.u32(born.pid))
}

function writeMac(writer: Writer, text: string): void {
  writeAttribute(writer, ATTR.mac, value => value.bytes(mac(text)))
}

function writeMtu(writer: Writer, mtu: number): void {
  writeAttribute(writer, ATTR.mtu, value => value.u32(mtu))
}

function writeName(writer: Writer, name: string): void {
  writeAttribute(writer, ATTR.name, value => writeText(value, name))
}

function writeRefName(writer: Writer, link: LinkRef): void {
  if (typeof link === 'string') writeName(writer, link)
}

function indexOf(link: LinkRef): number {
  return typeof link === 'string' ? 0 : link
}

function describeRef(link: LinkRef): string {
  return typeof link === 'string' ? link : `#${link}`
}

function wordsOf(change: LinkChange): string[] {
  return [
    ...(change.up === undefined ? [] : [change.up ? 'up' : 'down']),
    ...(change.mtu === undefined ? [] : [`mtu ${change.mtu}`]),
    ...(change.mac === undefined ? [] : [`address ${change.mac}`]),
  ]
}
