/** Which of two connections between the same speakers lives. RFC 4271 §6.8, RFC 6286 §2.3. */
import type { Ipv4 } from '@network/base/net/ipv4.ts'

export interface Identity {
  readonly routerId: Ipv4
  readonly asn: number
}

/** The connection dialled by the speaker with the higher identifier lives; equal identifiers: the larger AS decides. */
export function survivor(local: Identity, remote: Identity): 'dialled' | 'accepted' {
  const difference = local.routerId - remote.routerId || local.asn - remote.asn
  return difference > 0 ? 'dialled' : 'accepted'
}
