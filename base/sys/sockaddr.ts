/** `struct sockaddr` of both families, as bytes for system calls. */
import type { Ipv4 } from '../net/ipv4.ts'
import { type Ipv6, toIpv6 } from '../net/ipv6.ts'

export const AF_INET = 2
export const AF_INET6 = 10

const IS_LITTLE = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1

/** `struct sockaddr_in`, or `struct sockaddr_in6` with the interface of a link-local address as `scope`. */
export function sockaddr(address: Ipv4 | Ipv6, port: number, scope = 0): Uint8Array {
  return typeof address === 'number' ? sockaddrIn(address, port) : sockaddrIn6(address, port, scope)
}

/** The address and the interface of a `struct sockaddr_in6`. */
export function readSockaddrIn6(bytes: Uint8Array): { readonly address: Ipv6; readonly scope: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const address = toIpv6((view.getBigUint64(8) << 64n) | view.getBigUint64(16))
  return { address, scope: view.getUint32(24, IS_LITTLE) }
}

function sockaddrIn(address: Ipv4, port: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(16))
  view.setUint16(0, AF_INET, IS_LITTLE)
  view.setUint16(2, port)
  view.setUint32(4, address)
  return new Uint8Array(view.buffer)
}

function sockaddrIn6(address: Ipv6, port: number, scope: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(28))
  view.setUint16(0, AF_INET6, IS_LITTLE)
  view.setUint16(2, port)
  view.setBigUint64(8, address >> 64n)
  view.setBigUint64(16, BigInt.asUintN(64, address))
  view.setUint32(24, scope, IS_LITTLE)
  return new Uint8Array(view.buffer)
}
