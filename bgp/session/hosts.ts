/** Endpoints as Node says and takes them: a link-local address with its interface. */
import { formatAddress, parseAddress, unmapped } from '@network/base/net/any-address.ts'
import { isLinkLocal } from '@network/base/net/ipv6.ts'
import type { Endpoint } from './transport.ts'

/** Undefined where Node does not know it any more. */
export function endOf(text: string | undefined, port: number | undefined): Endpoint | undefined {
  const [host = '', zone] = (text ?? '').split('%')
  const address = parseAddress(host)
  if (address === undefined || port === undefined) return undefined
  // Without a spread: there may be thousands.
  return zone === undefined ? { address: unmapped(address), port } : { address: unmapped(address), port, zone }
}

export function hostOf({ address, zone }: Endpoint): string {
  const isOnLink = zone !== undefined && typeof address === 'bigint' && isLinkLocal(address)
  return isOnLink ? `${formatAddress(address)}%${zone}` : formatAddress(address)
}
