/** ROUTE-REFRESH: asks for everything again. RFC 2918; its subtypes (RFC 7313) are ignored, as we do not offer them. */
import { Cursor } from '@network/base/bytes/cursor.ts'
import { Writer } from '@network/base/bytes/writer.ts'
import { type Family, IPV4_UNICAST, sameFamily } from './capabilities.ts'
import { frame } from './header.ts'

/** True when the message asks for our IPv4 unicast routes; anything else is not for us. */
export function asksForIpv4(body: Uint8Array): boolean {
  if (body.length !== 4) return false
  const cursor = new Cursor(body)
  const family = { afi: cursor.u16(), subtype: cursor.u8(), safi: cursor.u8() }
  return family.subtype === 0 && sameFamily(family, IPV4_UNICAST)
}

export function encodeRouteRefresh(family: Family): Uint8Array {
  return frame('routeRefresh', new Writer().u16(family.afi).u8(0).u8(family.safi).finish())
}
