/** Ethernet frames as data: what a test asserts about the wire. */
import { Cursor, WireFault } from '@network/base/bytes/cursor.ts'
import { formatIpv4, toIpv4 } from '@network/base/net/ipv4.ts'
import type { Instant } from '@network/base/time/units.ts'
import { formatMac } from '@network/netlink/mac.ts'

export interface Frame {
  readonly source: string
  readonly destination: string
  readonly etherType: number
  /** When it was read, on the lab's clock. */
  readonly at: Instant
  /** Octets on the wire, Ethernet header included. */
  readonly length: number
  /** The outer (or only) IPv4 packet; undefined for ARP, IPv6 and the rest. */
  readonly ip: Ipv4Packet | undefined
}

export interface Ipv4Packet {
  readonly source: string
  readonly destination: string
  /** 1 ICMP, 4 IPIP, 6 TCP, 17 UDP. */
  readonly protocol: number
  readonly ttl: number
  /** Octets of the packet, its header included. */
  readonly length: number
  readonly payload: Payload
}

export type Payload =
  | { readonly is: 'icmp'; readonly type: number; readonly code: number; readonly id: number; readonly sequence: number }
  /** The inner packet of protocol 4. */
  | { readonly is: 'ipip'; readonly inner: Ipv4Packet }
  | { readonly is: 'udp'; readonly sourcePort: number; readonly destinationPort: number }
  | {
      readonly is: 'vxlan'
      readonly vni: number
      readonly sourcePort: number
      readonly port: number
      /** 0x08: the VNI is valid. */
      readonly flags: number
      /** The two reserved fields as one number: 0. */
      readonly reserved: number
      readonly innerSource: string
      readonly innerDestination: string
      readonly innerEtherType: number
      readonly inner: Ipv4Packet | undefined
    }
  | { readonly is: 'tcp'; readonly sourcePort: number; readonly destinationPort: number; readonly flags: number }
  | { readonly is: 'other' }

export const ICMP_ECHO_REQUEST = 8
export const ICMP_ECHO_REPLY = 0
export const PROTOCOL = { icmp: 1, ipip: 4, tcp: 6, udp: 17 } as const
const ETHERTYPE_IPV4 = 0x0800
/** RFC 7348. */
/** Ours, flannel's and the kernel's own, and that of a network made by hand. */
const VXLAN_PORTS: ReadonlySet<number> = new Set([4789, 8472, 4899])

/** Decodes one frame; what is cut short or unknown becomes `other` or an absent packet, never an error: the wire carries anything. */
export function decodeFrame(bytes: Uint8Array, { at, length }: { readonly at: Instant; readonly length: number }): Frame {
  const cursor = new Cursor(bytes)
  const destination = formatMac(cursor.take(6))
  const source = formatMac(cursor.take(6))
  const etherType = cursor.u16()
  return { source, destination, etherType, at, length, ip: etherType === ETHERTYPE_IPV4 ? packetIn(cursor) : undefined }
}

/** One line for people: `172.16.20.11 > 172.16.36.11 IPIP ttl 63 | 10.244.0.2 > 10.244.0.130 ICMP echo request 7 ttl 63`. */
export function formatFrame(frame: Frame): string {
  if (frame.ip === undefined)
    return `${frame.source} > ${frame.destination} ethertype 0x${frame.etherType.toString(16).padStart(4, '0')}`
  return formatPacket(frame.ip)
}

/** The packet that the pods sent: inside IPIP or VXLAN, or the only one. */
export function innermost(packet: Ipv4Packet): Ipv4Packet {
  const { payload } = packet
  return (payload.is === 'ipip' || payload.is === 'vxlan') && payload.inner !== undefined ? innermost(payload.inner) : packet
}

function packetIn(cursor: Cursor): Ipv4Packet | undefined {
  try {
    return readPacket(cursor)
  } catch (reason) {
    if (reason instanceof WireFault) return undefined
    throw reason
  }
}

/** RFC 791 §3.1. */
function readPacket(cursor: Cursor): Ipv4Packet | undefined {
  const first = cursor.u8()
  if (first >>> 4 !== 4) return undefined
  cursor.skip(1)
  const length = cursor.u16()
  cursor.skip(2)
  const fragmentOffset = cursor.u16() & 0x1fff
  const ttl = cursor.u8()
  const protocol = cursor.u8()
  cursor.skip(2)
  const source = formatIpv4(toIpv4(cursor.u32()))
  const destination = formatIpv4(toIpv4(cursor.u32()))
  cursor.skip(((first & 15) - 5) * 4)
  const payload: Payload = fragmentOffset === 0 ? payloadIn(protocol, cursor) : { is: 'other' }
  return { source, destination, protocol, ttl, length, payload }
}

function payloadIn(protocol: number, cursor: Cursor): Payload {
  const read = READERS.get(protocol)
  try {
    return read?.(cursor) ?? { is: 'other' }
  } catch (reason) {
    if (reason instanceof WireFault) return { is: 'other' }
    throw reason
  }
}

const READERS: ReadonlyMap<number, (cursor: Cursor) => Payload> = new Map([
  [PROTOCOL.icmp, readIcmp],
  [PROTOCOL.ipip, readIpip],
  [PROTOCOL.tcp, readTcp],
  [PROTOCOL.udp, readUdp],
])

/** RFC 792; id and sequence mean something in echo messages only. */
function readIcmp(cursor: Cursor): Payload {
  const type = cursor.u8()
  const code = cursor.u8()
  cursor.skip(2)
  return { is: 'icmp', type, code, id: cursor.u16(), sequence: cursor.u16() }
}

/** RFC 2003. */
function readIpip(cursor: Cursor): Payload {
  const inner = readPacket(cursor)
  return inner === undefined ? { is: 'other' } : { is: 'ipip', inner }
}

function readTcp(cursor: Cursor): Payload {
  const sourcePort = cursor.u16()
  const destinationPort = cursor.u16()
  cursor.skip(9)
  return { is: 'tcp', sourcePort, destinationPort, flags: cursor.u8() }
}

function readUdp(cursor: Cursor): Payload {
  const sourcePort = cursor.u16()
  const destinationPort = cursor.u16()
  cursor.skip(4)
  return VXLAN_PORTS.has(destinationPort)
    ? readVxlan(cursor, sourcePort, destinationPort)
    : { is: 'udp', sourcePort, destinationPort }
}

/** RFC 7348 §5. */
function readVxlan(cursor: Cursor, sourcePort: number, port: number): Payload {
  const first = cursor.u32()
  const second = cursor.u32()
  const innerDestination = formatMac(cursor.take(6))
  const innerSource = formatMac(cursor.take(6))
  const innerEtherType = cursor.u16()
  return {
    is: 'vxlan',
    vni: second >>> 8,
    sourcePort,
    port,
    flags: first >>> 24,
    reserved: (first & 0xffffff) + (second & 0xff),
    innerSource,
    innerDestination,
    innerEtherType,
    inner: innerEtherType === ETHERTYPE_IPV4 ? packetIn(cursor) : undefined,
  }
}

function formatPacket(packet: Ipv4Packet): string {
  const { payload } = packet
  const head = `${packet.source} > ${packet.destination} ${describe(packet)} ttl ${packet.ttl}`
  const inner = payload.is === 'ipip' || payload.is === 'vxlan' ? payload.inner : undefined
  return inner === undefined ? head : `${head} | ${formatPacket(inner)}`
}

function describe({ payload, protocol }: Ipv4Packet): string {
  switch (payload.is) {
    case 'icmp':
      return `ICMP ${ICMP_NAMES.get(payload.type) ?? `type ${payload.type}`} ${payload.sequence}`
    case 'ipip':
      return 'IPIP (protocol 4)'
    case 'vxlan':
      return `VXLAN vni ${payload.vni}`
    case 'udp':
    case 'tcp':
      return `${payload.is.toUpperCase()} ${payload.sourcePort} > ${payload.destinationPort}`
    case 'other':
      return `protocol ${protocol}`
    default:
      return payload satisfies never
  }
}

const ICMP_NAMES: ReadonlyMap<number, string> = new Map([
  [ICMP_ECHO_REPLY, 'echo reply'],
  [3, 'unreachable'],
  [5, 'redirect'],
  [ICMP_ECHO_REQUEST, 'echo request'],
  [11, 'time exceeded'],
])
