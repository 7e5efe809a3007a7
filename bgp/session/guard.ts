/** What protects the stream of one peer, as options of its socket: TCP MD5 (RFC 2385), GTSM (RFC 5082), TTL and device. */
import type { AnyPrefix } from '@network/base/net/any-prefix.ts'
import type { Ipv4 } from '@network/base/net/ipv4.ts'
import type { Ipv6 } from '@network/base/net/ipv6.ts'
import { Secret } from '@network/base/run/secret.ts'
import { sockaddr } from '@network/base/sys/sockaddr.ts'
import { SOL_SOCKET, setsockopt, setsockoptInt } from '@network/base/sys/socket.ts'
import { type Guard, LONGEST_PASSWORD } from './transport.ts'

const SO_BINDTODEVICE = 25
const [IPPROTO_IP, IP_TTL, IP_MINTTL] = [0, 2, 21]
const [IPPROTO_IPV6, IPV6_UNICAST_HOPS, IPV6_MINHOPCOUNT] = [41, 16, 73]
const [IPPROTO_TCP, TCP_MD5SIG, TCP_MD5SIG_EXT] = [6, 14, 32]
const MD5SIG_FLAG_PREFIX = 1
/** The kernel takes it for "as the system has it". */
const DEFAULT_TTL = -1
const IS_LITTLE = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1

export const FULL_TTL = 255

/** Brings the socket of a stream with `peer` from one guard to another. Throws a Fault that names the option. */
export function applyGuard(fd: number, peer: Ipv4 | Ipv6, before: Guard, after: Guard): void {
  const isV4 = typeof peer === 'number'
  const level = isV4 ? IPPROTO_IP : IPPROTO_IPV6
  if (before.ttl !== after.ttl) setsockoptInt(fd, level, isV4 ? IP_TTL : IPV6_UNICAST_HOPS, after.ttl ?? DEFAULT_TTL)
  if (before.minTtl !== after.minTtl) setsockoptInt(fd, level, isV4 ? IP_MINTTL : IPV6_MINHOPCOUNT, after.minTtl ?? 0)
  if (before.device !== after.device) setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, Buffer.from(`${after.device ?? ''}\0`))
  if (!Secret.same(before.password, after.password)) setKey(fd, peer, after.password)
}

/** Sets, changes or (undefined) removes the key for one address. */
function setKey(fd: number, peer: Ipv4 | Ipv6, password: Secret | undefined): void {
  setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG, md5sig(sockaddr(peer, 0), 0, password))
}

/** The same for a network: whoever of it connects to this listening socket must sign. */
export function setKeyOfRange(fd: number, { address, length }: AnyPrefix, password: Secret | undefined): void {
  const isHost = length === (typeof address === 'number' ? 32 : 128)
  if (isHost) setKey(fd, address, password)
  else setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG_EXT, md5sig(sockaddr(address, 0), length, password))
}

/** SYN+ACK leaves with the TTL of the listening socket, and a peer with GTSM takes none but the full one. */
export function setListenerTtl(fd: number, isV4: boolean, ttl: number | undefined): void {
  setsockoptInt(fd, isV4 ? IPPROTO_IP : IPPROTO_IPV6, isV4 ? IP_TTL : IPV6_UNICAST_HOPS, ttl ?? DEFAULT_TTL)
}

/** `struct tcp_md5sig`; a key of no length removes. */
function md5sig(peer: Uint8Array, length: number, password: Secret | undefined): Uint8Array {
  const key = password === undefined ? new Uint8Array(0) : new TextEncoder().encode(password.reveal())
  const value = new Uint8Array(216)
  value.set(peer)
  value[128] = length === 0 ? 0 : MD5SIG_FLAG_PREFIX
  value[129] = length
  new DataView(value.buffer).setUint16(130, key.length, IS_LITTLE)
  value.set(key.subarray(0, LONGEST_PASSWORD), 136)
  return value
}
