/** Our own address as the next hop of what one session is told. RFC 4271 §5.1.3, RFC 2545 §3, RFC 8950 §4. */
import { formatIpv4, type Ipv4 } from '@network/base/net/ipv4.ts'
import { formatIpv6, type Ipv6, isLinkLocal } from '@network/base/net/ipv6.ts'
import { type Attributes, NOWHERE } from './attributes.ts'

/** What a session can call us. */
export interface Ends {
  /** Left out: IPv4 routes cannot point at us by it. */
  readonly localAddress?: Ipv4
  /** Left out: nor can any route by an IPv6 one. */
  readonly localAddress6?: Ipv6
  /** Said beside it where the peer is on the same link. */
  readonly linkLocal?: Ipv6
  /** IPv4 routes too point at our IPv6 address. RFC 8950. */
  readonly over6?: true
}

export type Hops = Pick<Attributes, 'nextHop' | 'nextHop6'>

/** Undefined: there is no address of ours that the peer could use for this family. */
export function ownHops(six: boolean, { localAddress, localAddress6, linkLocal, over6 }: Ends): Hops | undefined {
  if (!six && over6 !== true) return localAddress === undefined ? undefined : { nextHop: localAddress, nextHop6: undefined }
  return localAddress6 === undefined ? undefined : { nextHop: NOWHERE, nextHop6: { address: localAddress6, linkLocal } }
}

/** `192.0.2.1`, `2001:db8::1`, or `fe80::1%eth1` where the zone is known. */
export function formatNextHop({ nextHop, nextHop6 }: Hops, zone: string | undefined): string {
  if (nextHop6 === undefined) return formatIpv4(nextHop)
  const { address } = nextHop6
  return `${formatIpv6(address)}${zone !== undefined && isLinkLocal(address) ? `%${zone}` : ''}`
}
