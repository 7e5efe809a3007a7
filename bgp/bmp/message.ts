/** BMP messages to a monitoring station. RFC 7854. */
import { Writer } from '@network/base/bytes/writer.ts'
import type { AnyAddress } from '@network/base/net/any-address.ts'
import type { Ipv4 } from '@network/base/net/ipv4.ts'
import { writeAddress } from '../mrt/record.ts'

const VERSION = 3
const HEADER_OCTETS = 6
const TYPE = { routeMonitoring: 0, statistics: 1, peerDown: 2, peerUp: 3, initiation: 4, termination: 5 } as const
const INFORMATION = { string: 0, sysDescr: 1, sysName: 2 } as const
const FLAG_V6 = 0x80
const FLAG_TWO_OCTET_AS = 0x20

/** Whom a message is about. RFC 7854 §4.2. */
export interface MonitoredPeer {
  readonly address: AnyAddress
  readonly asn: number
  readonly routerId: Ipv4
  /** AS_PATHs of the session have two octets an AS. */
  readonly twoOctetAs: boolean
}

export type PeerDownReason =
  /** The NOTIFICATION that we sent, with its header. */
  | { readonly is: 'local'; readonly notification: Uint8Array }
  /** An event of the state machine, as RFC 4271 §8.1 numbers them. */
  | { readonly is: 'local-event'; readonly event: number }
  | { readonly is: 'remote'; readonly notification: Uint8Array }
  | { readonly is: 'remote-silent' }
  | { readonly is: 'deconfigured' }

/** One number of a statistics report, by its type. RFC 7854 §4.8. */
export interface Statistic {
  readonly type: number
  readonly value: number | bigint
}

export const STATISTIC = {
  /** Prefixes refused by the import policy. */
  rejected: 0,
  asPathLoop: 4,
  originatorLoop: 5,
  clusterLoop: 3,
  /** 64 bits each. */
  adjRibIn: 7,
  locRib: 8,
  treatedAsWithdraw: 11,
} as const

/** Types whose value has 64 bits. */
const WIDE: ReadonlySet<number> = new Set([STATISTIC.adjRibIn, STATISTIC.locRib])

/** The first message to a station. */
export function initiation(sysName: string, sysDescr: string): Uint8Array {
  const body = new Writer()
  writeText(body, INFORMATION.sysDescr, sysDescr)
  writeText(body, INFORMATION.sysName, sysName)
  return message(TYPE.initiation, body)
}

/** The last one; the reason is that the session is closed by its operator. RFC 7854 §4.5. */
export function termination(): Uint8Array {
  return message(TYPE.termination, new Writer().u16(1).u16(2).u16(0))
}

/** Both OPENs with their headers. RFC 7854 §4.10. */
export function peerUp(
  peer: MonitoredPeer,
  at: Date,
  ends: { readonly local: AnyAddress; readonly localPort: number; readonly remotePort: number },
  opens: { readonly sent: Uint8Array; readonly received: Uint8Array },
): Uint8Array {
  const body = writePeer(new Writer(), peer, at)
  writePadded(body, ends.local).u16(ends.localPort).u16(ends.remotePort).bytes(opens.sent).bytes(opens.received)
  return message(TYPE.peerUp, body)
}

/** RFC 7854 §4.9. */
export function peerDown(peer: MonitoredPeer, at: Date, reason: PeerDownReason): Uint8Array {
  const body = writePeer(new Writer(), peer, at)
  switch (reason.is) {
    case 'local':
      return message(TYPE.peerDown, body.u8(1).bytes(reason.notification))
    case 'local-event':
      return message(TYPE.peerDown, body.u8(2).u16(reason.event))
    case 'remote':
      return message(TYPE.peerDown, body.u8(3).bytes(reason.notification))
    case 'remote-silent':
      return message(TYPE.peerDown, body.u8(4))
    case 'deconfigured':
      return message(TYPE.peerDown, body.u8(5))
    default:
      return reason satisfies never
  }
}

/** An UPDATE with its header, as the peer said it or as it could have said it. RFC 7854 §4.6. */
export function routeMonitoring(peer: MonitoredPeer, at: Date, update: Uint8Array): Uint8Array {
  return message(TYPE.routeMonitoring, writePeer(new Writer('network', 64 + update.length), peer, at).bytes(update))
}

export function statisticsReport(peer: MonitoredPeer, at: Date, statistics: readonly Statistic[]): Uint8Array {
  const body = writePeer(new Writer(), peer, at).u32(statistics.length)
  for (const { type, value } of statistics) {
    const isWide = WIDE.has(type)
    body.u16(type).u16(isWide ? 8 : 4)
    if (isWide) body.u32(Number((BigInt(value) >> 32n) & 0xffffffffn))
    body.u32(Number(BigInt(value) & 0xffffffffn))
  }
  return message(TYPE.statistics, body)
}

/** RFC 7854 §4.2: a global instance peer; routes are those before the policy. */
function writePeer(writer: Writer, { address, asn, routerId, twoOctetAs }: MonitoredPeer, at: Date): Writer {
  const flags = (typeof address === 'bigint' ? FLAG_V6 : 0) | (twoOctetAs ? FLAG_TWO_OCTET_AS : 0)
  writer.u8(0).u8(flags).u32(0).u32(0)
  writePadded(writer, address).u32(asn).u32(routerId)
  const time = at.getTime()
  return writer.u32(Math.floor(time / 1000)).u32(Math.floor(time % 1000) * 1000)
}

/** Sixteen octets, an IPv4 address in the last four. */
function writePadded(writer: Writer, address: AnyAddress): Writer {
  if (typeof address === 'number') writer.u32(0).u32(0).u32(0)
  return writeAddress(writer, address)
}

function writeText(writer: Writer, type: number, text: string): void {
  const bytes = Buffer.from(text, 'utf8')
  writer.u16(type).u16(bytes.length).bytes(bytes)
}

function message(type: number, body: Writer): Uint8Array {
  const length = HEADER_OCTETS + body.length
  return new Writer('network', length).u8(VERSION).u32(length).u8(type).bytes(body.peek()).finish()
}
