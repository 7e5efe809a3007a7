/** VXLAN devices (RFC 7348), as rtnetlink makes and describes them. linux/if_link.h, IFLA_VXLAN_*. */
import type { Cursor } from '@network/base/bytes/cursor.ts'
import type { Writer } from '@network/base/bytes/writer.ts'
import { formatIpv4, type Ipv4 } from '@network/base/net/ipv4.ts'
import type { IfIndex } from './link.ts'
import { eachAttribute, readIpv4, writeAttribute, writeIpv4, writeNumber } from './wire.ts'

/** What a device that is given all its peers by hand is made from. */
export interface VxlanChoice {
  /** 0 to 2^24 − 1. */
  readonly vni: number
  /** UDP, of both ends. */
  readonly port: number
  /** Source of the outer packets. */
  readonly local: Ipv4
  /** The NIC that they leave by. */
  readonly over: IfIndex
}

/** A device as the kernel tells of it. */
export interface Vxlan {
  readonly vni: number
  readonly port: number
  readonly local: Ipv4 | undefined
  /** The NIC that outer packets are bound to; undefined: any. */
  readonly over: number | undefined
  /** The device takes peers' addresses from what arrives. */
  readonly learning: boolean
  /** Where frames go that no entry of the forwarding table is for, as the words of `ip link`; undefined: nowhere. */
  readonly remote: string | undefined
  /** Who sends says which VNI and peer: the device has none of its own. */
  readonly external: boolean
}

const ATTR = { id: 1, group: 2, link: 3, local: 4, learning: 7, port: 15, group6: 16, collectMetadata: 25 }

/** Writes what goes into IFLA_INFO_DATA: nothing is learned, nothing is sent to whom it is not told of. */
export function writeVxlanData(writer: Writer, { vni, port, local, over }: VxlanChoice): void {
  writeNumber(writer, ATTR.id, vni)
  writeNumber(writer, ATTR.link, over)
  writeIpv4(writer, ATTR.local, local)
  writeAttribute(writer, ATTR.learning, value => value.u8(0))
  writeAttribute(writer, ATTR.port, value => value.u8(port >> 8).u8(port & 0xff))
}

/** Reads IFLA_INFO_DATA of a VXLAN device. */
export function readVxlanData(data: Cursor): Vxlan {
  const seen: { -readonly [field in keyof Vxlan]: Vxlan[field] } = {
    vni: 0,
    port: 0,
    local: undefined,
    over: undefined,
    learning: false,
    remote: undefined,
    external: false,
  }
  eachAttribute(data, (type, value) => {
    if (type === ATTR.id) seen.vni = value.u32()
    else if (type === ATTR.port) seen.port = (value.u8() << 8) | value.u8()
    else if (type === ATTR.link) seen.over = value.i32()
    else if (type === ATTR.local) seen.local = readIpv4(value)
    else if (type === ATTR.learning) seen.learning = value.u8() !== 0
    else if (type === ATTR.collectMetadata) seen.external = value.u8() !== 0
    else if (type === ATTR.group) seen.remote = formatIpv4(readIpv4(value))
    else if (type === ATTR.group6) seen.remote = 'an IPv6 address'
  })
  return seen
}
