/** Who a peer is: an address, or an interface with whoever is at its other end. */
import { type AnyAddress, formatAddress, parseAddress } from '@network/base/net/any-address.ts'
import { type Ipv6, isLinkLocal } from '@network/base/net/ipv6.ts'
import type { Endpoint } from './session/transport.ts'

declare const onLinkUnit: unique symbol
/** `eth1`: the one at the other end of an interface, whatever its address; `fe80::1%eth1`: one of those that are there. RFC 4007 §11. */
export type OnLink = string & { readonly [onLinkUnit]: true }

/** A key in maps: equal for the same peer. */
export type PeerAddress = AnyAddress | OnLink

/** As Linux takes them. */
const DEVICE = /^[^\s/:%]{1,15}$/

/** The one at the other end of an interface, or the one there with this link-local address. */
export function onLink(device: string, address?: Ipv6): OnLink {
  return (address === undefined ? device : `${formatAddress(address)}%${device}`) as OnLink
}

/** `192.0.2.1`, `2001:db8::1`, `fe80::1%eth1` or `eth1`. */
export function formatPeer(peer: PeerAddress): string {
  return typeof peer === 'string' ? peer : formatAddress(peer)
}

/** Reads what `formatPeer` prints; undefined: it can be nobody, and neither can a link-local address without its interface. */
export function parsePeer(text: string): PeerAddress | undefined {
  const address = parseAddress(text)
  if (address !== undefined) return isOfLink(address) ? undefined : address
  const [first = '', device, ...rest] = text.split('%')
  if (device === undefined) return DEVICE.test(first) ? onLink(first) : undefined
  const host = parseAddress(first)
  if (host === undefined || typeof host === 'number' || !isLinkLocal(host) || rest.length > 0) return undefined
  return DEVICE.test(device) ? onLink(device, host) : undefined
}

/** The interface, and the address on it where that is known from the beginning; undefined: an ordinary address. */
export function placeOf(peer: PeerAddress): { readonly device: string; readonly address: Ipv6 | undefined } | undefined {
  if (typeof peer !== 'string') return undefined
  const [first = '', device] = peer.split('%')
  if (device === undefined) return { device: first, address: undefined }
  const address = parseAddress(first)
  return { device, address: typeof address === 'bigint' ? address : undefined }
}

/** Its address, as far as that is known from the beginning. */
export function hostOf(peer: PeerAddress): AnyAddress | undefined {
  return typeof peer === 'string' ? placeOf(peer)?.address : peer
}

/** Who is at that end of a stream, by its address; whoever is known by an interface alone is `onLink(zone)`. */
export function peerAt({ address, zone }: Endpoint): PeerAddress {
  return zone === undefined || typeof address === 'number' ? address : onLink(zone, address)
}

/** Whether a stream that ends there is one with this peer. */
export function isAt(peer: PeerAddress, end: Endpoint): boolean {
  return peerAt(end) === peer || (end.zone !== undefined && onLink(end.zone) === peer)
}

function isOfLink(address: AnyAddress): boolean {
  return typeof address === 'bigint' && isLinkLocal(address)
}
