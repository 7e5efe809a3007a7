/** Sockets that Node cannot open by itself, and options that it does not offer: thin, total wrappers of the system calls. */
import { Fault } from '../run/fault.ts'
import { type Errno, errnoName, errnoText } from './errno.ts'
import { libc } from './libc.ts'

export const SOL_SOCKET = 1
export const SOCK_CLOEXEC = 0o2000000
export const SOCK_NONBLOCK = 0o4000
const MSG_DONTWAIT = 0x40
const MSG_TRUNC = 0x20

/** Opens a socket and returns its descriptor, which the caller owns. */
export function openSocket(domain: number, type: number, protocol: number): number {
  return must(libc().socket(domain, type, protocol), 'socket', { doing: 'open', on: `a socket of family ${domain}` })
}

/** Binds to an address given as the bytes of its `struct sockaddr`. */
export function bindSocket(fd: number, address: Uint8Array): void {
  must(libc().bind(fd, address, address.length), 'bind', { doing: 'bind', on: `descriptor ${fd}` })
}

/** Sends one datagram without waiting; the octets sent, or the name of the error. */
export function send(fd: number, bytes: Uint8Array): number | Errno {
  return untilUninterrupted(() => libc().send(fd, bytes, bytes.length, MSG_DONTWAIT))
}

/** Takes one datagram without waiting; its true length, which is more than `into` holds when it was cut, or the name of the error. */
export function receive(fd: number, into: Uint8Array): number | Errno {
  return untilUninterrupted(() => libc().recv(fd, into, into.length, MSG_DONTWAIT | MSG_TRUNC))
}

/** The same to an address given as the bytes of its `struct sockaddr`. */
export function sendTo(fd: number, bytes: Uint8Array, address: Uint8Array): number | Errno {
  return untilUninterrupted(() => libc().sendto(fd, bytes, bytes.length, MSG_DONTWAIT, address, address.length))
}

/** The same as `receive`, and fills `from` with the `struct sockaddr` of the sender, as far as it has room. */
export function receiveFrom(fd: number, into: Uint8Array, from: Uint8Array): number | Errno {
  const length = new Uint8Array(new Uint32Array([from.length]).buffer)
  return untilUninterrupted(() => libc().recvfrom(fd, into, into.length, MSG_DONTWAIT | MSG_TRUNC, from, length))
}

/** The number of an interface; undefined: there is none of that name. */
export function indexOfDevice(name: string): number | undefined {
  const index = libc().ifNameToIndex(name)
  return index === 0 ? undefined : index
}

/** Sets any option of any socket: TCP MD5, TTL security and marks as well as buffer sizes. */
export function setsockopt(fd: number, level: number, option: number, value: Uint8Array): void {
  must(libc().setsockopt(fd, level, option, value, value.length), 'setsockopt', optionOf('set', fd, level, option))
}

/** Sets an option whose value is a C `int`. */
export function setsockoptInt(fd: number, level: number, option: number, value: number): void {
  setsockopt(fd, level, option, new Uint8Array(new Int32Array([value]).buffer))
}

/** Reads an option whose value is a C `int`. */
export function getsockoptInt(fd: number, level: number, option: number): number {
  const value = new Int32Array(1)
  const length = new Uint8Array(new Uint32Array([4]).buffer)
  must(
    libc().getsockopt(fd, level, option, new Uint8Array(value.buffer), length),
    'getsockopt',
    optionOf('read', fd, level, option),
  )
  return value[0] ?? 0
}

/** Closes a descriptor; never again use its number, which the kernel gives to the next one opened. */
export function closeDescriptor(fd: number): void {
  must(libc().close(fd), 'close', { doing: 'close', on: `descriptor ${fd}` })
}

/** Passes a result on unless it is negative, which becomes a Fault with the call's name and errno. */
export function must(result: number, call: string, act: { readonly doing: string; readonly on: string }): number {
  if (result >= 0) return result
  const errno = libc().errno()
  throw new Fault(`sys.${call}`, { ...act, errno: errnoName(errno), says: errnoText(errno) })
}

function optionOf(doing: string, fd: number, level: number, option: number): { doing: string; on: string } {
  return { doing: `${doing} option ${option} of level ${level}`, on: `on descriptor ${fd}` }
}

function untilUninterrupted(call: () => number | bigint): number | Errno {
  for (;;) {
    const result = Number(call())
    if (result >= 0) return result
    const errno = errnoName(libc().errno())
    if (errno !== 'EINTR') return errno
  }
}
