/** Sends packets that no honest sender would make: any source address, any protocol, straight onto a link. */
import { Writer } from '@network/base/bytes/writer.ts'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { Fault } from '@network/base/run/fault.ts'
import { closeDescriptor, send } from '@network/base/sys/socket.ts'
import { mac } from '@network/netlink/mac.ts'
import { openLink } from './capture.ts'
import { ICMP_ECHO_REQUEST, PROTOCOL } from './frame.ts'

export interface Ends {
  readonly source: string
  readonly destination: string
}

const ETHERTYPE_IPV4 = 0x0800
const SENDER_MAC = '02:00:00:00:00:99'
const TTL = 64
const VNI_IS_VALID = 0x0800_0000

/** Sends `packet`, whole from its IP header on, out of `link` (`a1-p1:eth0`) to a neighbour by its hardware address, `count` times. */
export async function forge(link: string, to: string, { packet, count }: { packet: Uint8Array; count: number }): Promise<void> {
  const frame = new Writer().bytes(mac(to)).bytes(mac(SENDER_MAC)).u16(ETHERTYPE_IPV4).bytes(packet).finish()
  const fd = await openLink(link)
  try {
    for (let sent = 0; sent < count; sent++) {
      const outcome = send(fd, frame)
      if (outcome !== frame.length)
        throw new Fault('lab.forge', { doing: 'send', on: link, says: `the kernel answered ${outcome}` })
    }
  } finally {
    closeDescriptor(fd)
  }
}

/** An ICMP echo request; `id` tells it from others. */
export function echoRequest(ends: Ends, id: number): Uint8Array {
  const message = new Writer().u8(ICMP_ECHO_REQUEST).u8(0).u16(0).u16(id).u16(1).finish()
  return ipPacket(ends, PROTOCOL.icmp, withChecksum(message, 2))
}

/** A packet inside IPIP (RFC 2003). */
export function inIpip(ends: Ends, inner: Uint8Array): Uint8Array {
  return ipPacket(ends, PROTOCOL.ipip, inner)
}

/** A packet inside VXLAN (RFC 7348), for the device that has the hardware address `to`. */
export function inVxlan(ends: Ends, { port, vni, to }: { port: number; vni: number; to: string }, inner: Uint8Array): Uint8Array {
  const frame = new Writer().bytes(mac(to)).bytes(mac(SENDER_MAC)).u16(ETHERTYPE_IPV4).bytes(inner).finish()
  const vxlan = new Writer()
    .u32(VNI_IS_VALID)
    .u32(vni << 8)
    .bytes(frame)
    .finish()
  // No checksum: RFC 7348 §5 wants it so.
  const udp = new Writer()
    .u16(50_000)
    .u16(port)
    .u16(8 + vxlan.length)
    .u16(0)
    .bytes(vxlan)
    .finish()
  return ipPacket(ends, PROTOCOL.udp, udp)
}

function ipPacket({ source, destination }: Ends, protocol: number, payload: Uint8Array): Uint8Array {
  const header = new Writer()
    .u8(0x45)
    .u8(0)
    .u16(20 + payload.length)
    .u32(0)
    .u8(TTL)
    .u8(protocol)
    .u16(0)
    .u32(ipv4(source))
    .u32(ipv4(destination))
    .finish()
  return new Writer().bytes(withChecksum(header, 10)).bytes(payload).finish()
}

/** RFC 1071, over an even number of octets; the field at `at` is zero as yet. */
function withChecksum(bytes: Uint8Array, at: number): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  let sum = 0
  for (let offset = 0; offset < bytes.length; offset += 2) sum += view.getUint16(offset)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  view.setUint16(at, 0xffff - sum)
  return bytes
}
