/** Ethernet frames as data: what a test asserts about the wire. */

export interface Frame {
  readonly source: string
  readonly destination: string
  readonly etherType: number
  /** Milliseconds on the capture's clock. */
  readonly at: number
  readonly length: number
  /** The outer (or only) IPv4 packet; undefined for ARP, IPv6 and the rest. */
  readonly ip: Ipv4Packet | undefined
}

export interface Ipv4Packet {
  readonly source: string
  readonly destination: string
  /** 1 ICMP, 4 IPIP, 6 TCP, 17 UDP. */
  readonly protocol: number
  readonly ttl: number
  readonly length: number
  readonly payload: Payload
}

export type Payload =
  | { readonly is: 'icmp'; readonly type: number; readonly code: number; readonly id: number; readonly sequence: number }
  /** The inner packet of protocol 4. */
  | { readonly is: 'ipip'; readonly inner: Ipv4Packet }
  | { readonly is: 'udp'; readonly sourcePort: number; readonly destinationPort: number }
  | { readonly is: 'vxlan'; readonly vni: number; readonly sourcePort: number; readonly inner: Ipv4Packet | undefined }
  | { readonly is: 'tcp'; readonly sourcePort: number; readonly destinationPort: number; readonly flags: number }
  | { readonly is: 'other' }
