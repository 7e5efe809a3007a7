/** What the headers of VXLAN in front of every packet cost. */

/** Octets: outer IPv4 20, UDP 8, VXLAN 8, inner Ethernet 14 (RFC 7348 §5). */
export const VXLAN_OVERHEAD = 50

/** MTU of the device, and of pods whose packets may travel through it, for an underlay of `underlayMtu` octets. */
export function vxlanMtu(underlayMtu: number): number {
  return underlayMtu - VXLAN_OVERHEAD
}
