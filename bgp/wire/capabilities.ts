/** Capabilities inside OPEN: families, four-octet AS, refresh, extended messages, graceful restart, several paths. RFC 5492, 6793, 4760, 2918, 4724, 7313, 7911, 8654, 8950, 9234, 9494. */
import { Cursor } from '@network/base/bytes/cursor.ts'
import { Writer } from '@network/base/bytes/writer.ts'
import { type Seconds, seconds } from '@network/base/time/units.ts'
import { LONGEST_MESSAGE } from './header.ts'

export interface Family {
  readonly afi: number
  readonly safi: number
}

export const IPV4_UNICAST: Family = { afi: 1, safi: 1 }
export const IPV6_UNICAST: Family = { afi: 2, safi: 1 }

export function sameFamily(a: Family, b: Family): boolean {
  return a.afi === b.afi && a.safi === b.safi
}

/** `ipv4-unicast`; `afi/safi` in numbers where we have no name. */
export function nameOfFamily(family: Family): string {
  if (sameFamily(family, IPV4_UNICAST)) return 'ipv4-unicast'
  return sameFamily(family, IPV6_UNICAST) ? 'ipv6-unicast' : `${family.afi}/${family.safi}`
}

export interface RestartFamily extends Family {
  /** F bit: forwarding state was kept over the restart. */
  readonly forwarding: boolean
}

export interface GracefulRestart {
  /** R bit: the speaker has just restarted. */
  readonly restarting: boolean
  /** N bit: routes are kept over a NOTIFICATION and over an expired hold timer too. RFC 8538 §2. */
  readonly notification: boolean
  readonly restartTime: Seconds
  readonly families: readonly RestartFamily[]
}

/** What a speaker does with several paths of one prefix. RFC 7911 §4. */
export interface AddPathFamily extends Family {
  /** It understands path ids in what it hears. */
  readonly receive: boolean
  /** It wants to say several paths, each with its id. */
  readonly send: boolean
}

/** How long routes of a family are the last resort after the restart time. RFC 9494 §3. */
export interface LongLivedFamily extends RestartFamily {
  /** Up to 24 bits. */
  readonly staleTime: Seconds
}

export interface Capabilities {
  /** Families of the multiprotocol capability; none said means IPv4 unicast only. */
  readonly families: readonly Family[]
  readonly routeRefresh: boolean
  readonly fourOctetAs: number | undefined
  readonly gracefulRestart: GracefulRestart | undefined
  /** UPDATEs up to 65535 octets may be sent to who says this. RFC 8654. */
  readonly extendedMessages: boolean
  /** RFC 7313: the begin and the end of a refresh are told. */
  readonly enhancedRefresh: boolean
  /** RFC 8950: IPv4 unicast may have an IPv6 next hop. */
  readonly ipv4OverIpv6: boolean
  /** Left out: one path a prefix, without ids. RFC 7911. */
  readonly addPath?: readonly AddPathFamily[]
  /** What the speaker says it is to the other one, each once: numbers of RFC 9234 §4.1. More than one is a contradiction. Left out: nothing. */
  readonly roles?: readonly number[]
  /** Left out: it takes no part in RFC 9494. */
  readonly longLived?: readonly LongLivedFamily[]
}

export const NO_CAPABILITIES: Capabilities = {
  families: [],
  routeRefresh: false,
  fourOctetAs: undefined,
  gracefulRestart: undefined,
  extendedMessages: false,
  enhancedRefresh: false,
  ipv4OverIpv6: false,
}

const MULTIPROTOCOL = 1
const ROUTE_REFRESH = 2
const EXTENDED_NEXT_HOP = 5
const EXTENDED_MESSAGES = 6
const ROLE = 9
const GRACEFUL_RESTART = 64
const FOUR_OCTET_AS = 65
const ADD_PATH = 69
const ENHANCED_REFRESH = 70
const LONG_LIVED = 71
const ADD_PATH_RECEIVE = 1
const ADD_PATH_SEND = 2

/** Reads capability TLVs on top of what is known already; throws WireFault when a length runs over the end. */
export function readCapabilities(cursor: Cursor, known: Capabilities): Capabilities {
  let capabilities = known
  while (cursor.left > 0) {
    const code = cursor.u8()
    const body = cursor.take(cursor.u8())
    capabilities = withCapability(capabilities, code, body)
  }
  return capabilities
}

/** A body of the wrong size says nothing: the capability counts as absent. Unknown codes are ignored (RFC 5492 §3). */
function withCapability(known: Capabilities, code: number, body: Uint8Array): Capabilities {
  const cursor = new Cursor(body)
  switch (code) {
    case MULTIPROTOCOL:
      return body.length === 4 ? { ...known, families: [...known.families, readFamily(cursor)] } : known
    case ROUTE_REFRESH:
      return { ...known, routeRefresh: true }
    case EXTENDED_NEXT_HOP:
      return body.length % 6 === 0 ? { ...known, ipv4OverIpv6: known.ipv4OverIpv6 || saysIpv4OverIpv6(cursor) } : known
    case EXTENDED_MESSAGES:
      return { ...known, extendedMessages: true }
    case ENHANCED_REFRESH:
      return { ...known, enhancedRefresh: true }
    case LONG_LIVED:
      return body.length % 7 === 0 ? { ...known, longLived: [...(known.longLived ?? []), ...readLongLived(cursor)] } : known
    case ROLE:
      return body.length === 1 ? { ...known, roles: [...new Set([...(known.roles ?? []), cursor.u8()])] } : known
    case FOUR_OCTET_AS:
      return body.length === 4 ? { ...known, fourOctetAs: cursor.u32() } : known
    case ADD_PATH:
      return body.length % 4 === 0 ? withAddPath(known, cursor) : known
    case GRACEFUL_RESTART:
      return body.length % 4 === 2 ? { ...known, gracefulRestart: readGracefulRestart(cursor) } : known
    default:
      return known
  }
}

function readFamily(cursor: Cursor): Family {
  const afi = cursor.u16()
  cursor.skip(1)
  return { afi, safi: cursor.u8() }
}

/** Triples of family, sub-family (two octets here) and family of the next hop; all but one are not for us. */
function saysIpv4OverIpv6(cursor: Cursor): boolean {
  let said = false
  while (cursor.left > 0) {
    const family = { afi: cursor.u16(), safi: cursor.u16() }
    const nextHopAfi = cursor.u16()
    said ||= sameFamily(family, IPV4_UNICAST) && nextHopAfi === IPV6_UNICAST.afi
  }
  return said
}

function readGracefulRestart(cursor: Cursor): GracefulRestart {
  const head = cursor.u16()
  const families: RestartFamily[] = []
  while (cursor.left > 0) families.push({ afi: cursor.u16(), safi: cursor.u8(), forwarding: (cursor.u8() & 0x80) !== 0 })
  return {
    restarting: (head & 0x8000) !== 0,
    notification: (head & 0x4000) !== 0,
    restartTime: seconds(head & 0x0fff),
    families,
  }
}

/** RFC 7911 §4: an entry with a mode that is none of the three is as if it were not there; of two for one family the last counts. */
function withAddPath(known: Capabilities, cursor: Cursor): Capabilities {
  let addPath = known.addPath ?? []
  while (cursor.left > 0) {
    const family = { afi: cursor.u16(), safi: cursor.u8() }
    const mode = cursor.u8()
    if (mode === 0 || mode > (ADD_PATH_RECEIVE | ADD_PATH_SEND)) continue
    const said = { ...family, receive: (mode & ADD_PATH_RECEIVE) !== 0, send: (mode & ADD_PATH_SEND) !== 0 }
    addPath = [...addPath.filter(each => !sameFamily(each, family)), said]
  }
  return addPath.length === 0 ? known : { ...known, addPath }
}

function readLongLived(cursor: Cursor): readonly LongLivedFamily[] {
  const families: LongLivedFamily[] = []
  while (cursor.left > 0) {
    const family = { afi: cursor.u16(), safi: cursor.u8(), forwarding: (cursor.u8() & 0x80) !== 0 }
    families.push({ ...family, staleTime: seconds(cursor.u8() * 0x10000 + cursor.u16()) })
  }
  return families
}

/** All capabilities as TLVs, in order of their codes. */
export function encodeCapabilities(capabilities: Capabilities): Uint8Array {
  const writer = new Writer('network', LONGEST_MESSAGE)
  for (const family of capabilities.families) writer.u8(MULTIPROTOCOL).u8(4).u16(family.afi).u8(0).u8(family.safi)
  if (capabilities.routeRefresh) writer.u8(ROUTE_REFRESH).u8(0)
  if (capabilities.ipv4OverIpv6)
    writer.u8(EXTENDED_NEXT_HOP).u8(6).u16(IPV4_UNICAST.afi).u16(IPV4_UNICAST.safi).u16(IPV6_UNICAST.afi)
  if (capabilities.extendedMessages) writer.u8(EXTENDED_MESSAGES).u8(0)
  for (const role of capabilities.roles ?? []) writer.u8(ROLE).u8(1).u8(role)
  if (capabilities.gracefulRestart !== undefined) writeGracefulRestart(writer, capabilities.gracefulRestart)
  if (capabilities.fourOctetAs !== undefined) writer.u8(FOUR_OCTET_AS).u8(4).u32(capabilities.fourOctetAs)
  if (capabilities.addPath !== undefined && capabilities.addPath.length > 0) writeAddPath(writer, capabilities.addPath)
  if (capabilities.enhancedRefresh) writer.u8(ENHANCED_REFRESH).u8(0)
  if (capabilities.longLived !== undefined) writeLongLived(writer, capabilities.longLived)
  return writer.finish()
}

function writeGracefulRestart(writer: Writer, restart: GracefulRestart): void {
  writer.u8(GRACEFUL_RESTART).u8(2 + 4 * restart.families.length)
  writer.u16((restart.restarting ? 0x8000 : 0) | (restart.notification ? 0x4000 : 0) | restart.restartTime)
  for (const family of restart.families)
    writer
      .u16(family.afi)
      .u8(family.safi)
      .u8(family.forwarding ? 0x80 : 0)
}

function writeAddPath(writer: Writer, families: readonly AddPathFamily[]): void {
  writer.u8(ADD_PATH).u8(4 * families.length)
  for (const { afi, safi, receive, send } of families)
    writer
      .u16(afi)
      .u8(safi)
      .u8((receive ? ADD_PATH_RECEIVE : 0) | (send ? ADD_PATH_SEND : 0))
}

function writeLongLived(writer: Writer, families: readonly LongLivedFamily[]): void {
  writer.u8(LONG_LIVED).u8(7 * families.length)
  for (const { afi, safi, forwarding, staleTime } of families) {
    writer.u16(afi).u8(safi)
    writer.u8(forwarding ? 0x80 : 0)
    writer.u8(staleTime >>> 16).u16(staleTime & 0xffff)
  }
}
