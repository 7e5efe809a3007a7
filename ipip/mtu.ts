/** What an IPv4 header in front of every packet costs. */

/** Octets of the outer IPv4 header without options (RFC 2003 §3.1). */
export const IPIP_OVERHEAD = 20

/** MTU of tunl0, and of pods whose packets may travel through it, for an underlay of `underlayMtu` octets. */
export function tunnelMtu(underlayMtu: number): number {
  return underlayMtu - IPIP_OVERHEAD
}
