/** The C library's functions, bound by koffi at the first call: who makes no system call does not pay for loading it. */
import { createRequire } from 'node:module'

/** Raw calls: a negative result means that `errno()`, asked before any other call, tells why. */
export interface Libc {
  /** Of the calling thread, so only right after a synchronous call. */
  readonly errno: () => number
  readonly socket: (domain: number, type: number, protocol: number) => number
  readonly bind: (fd: number, address: Uint8Array, length: number) => number
  readonly send: (fd: number, bytes: Uint8Array, length: number, flags: number) => number | bigint
  readonly recv: (fd: number, into: Uint8Array, length: number, flags: number) => number | bigint
  readonly sendto: (
    fd: number,
    bytes: Uint8Array,
    length: number,
    flags: number,
    address: Uint8Array,
    addressLength: number,
  ) => number | bigint
  /** `addressLength` is an unsigned int in memory: how long `address` is, and then how much of it was filled. */
  readonly recvfrom: (
    fd: number,
    into: Uint8Array,
    length: number,
    flags: number,
    address: Uint8Array,
    addressLength: Uint8Array,
  ) => number | bigint
  /** 0: there is no such interface. */
  readonly ifNameToIndex: (name: string) => number
  readonly setsockopt: (fd: number, level: number, option: number, value: Uint8Array, length: number) => number
  readonly getsockopt: (fd: number, level: number, option: number, into: Uint8Array, length: Uint8Array) => number
  /** Where the bytes lie; true only as long as somebody holds on to them. */
  readonly addressOf: (bytes: Uint8Array) => bigint
  readonly close: (fd: number) => number
  readonly setns: (fd: number, type: number) => number
  readonly eventfd: (initial: number, flags: number) => number
  readonly memfdCreate: (name: string, flags: number) => number
  readonly write: (fd: number, bytes: Uint8Array, length: number) => number | bigint
  readonly poll: (fds: Uint8Array, count: number, timeoutMs: number) => number
  /** In a thread of libuv's pool, which it holds until it returns. */
  readonly pollAsync: (fds: Uint8Array, count: number, timeoutMs: number, done: (error: unknown, ready: number) => void) => void
}

let loaded: Libc | undefined

/** The same bindings for everybody: loading costs some 17 ms, once. */
export function libc(): Libc {
  loaded ??= load()
  return loaded
}

function load(): Libc {
  const koffi: typeof import('koffi') = createRequire(import.meta.url)('koffi')
  const c = koffi.load(null)
  const poll = c.func('int poll(void *fds, unsigned long count, int timeout)')
  return {
    errno: () => koffi.errno(),
    socket: c.func('int socket(int domain, int type, int protocol)'),
    bind: c.func('int bind(int fd, const void *address, unsigned int length)'),
    send: c.func('intptr_t send(int fd, const void *bytes, size_t length, int flags)'),
    recv: c.func('intptr_t recv(int fd, void *into, size_t length, int flags)'),
    sendto: c.func(
      'intptr_t sendto(int fd, const void *bytes, size_t length, int flags, const void *address, unsigned int address_length)',
    ),
    recvfrom: c.func('intptr_t recvfrom(int fd, void *into, size_t length, int flags, void *address, void *address_length)'),
    ifNameToIndex: c.func('unsigned int if_nametoindex(const char *name)'),
    setsockopt: c.func('int setsockopt(int fd, int level, int option, const void *value, unsigned int length)'),
    getsockopt: c.func('int getsockopt(int fd, int level, int option, void *into, void *length)'),
    addressOf: bytes => BigInt(koffi.address(bytes)),
    close: c.func('int close(int fd)'),
    setns: c.func('int setns(int fd, int type)'),
    eventfd: c.func('int eventfd(unsigned int initial, int flags)'),
    memfdCreate: c.func('int memfd_create(const char *name, unsigned int flags)'),
    write: c.func('intptr_t write(int fd, const void *bytes, size_t length)'),
    poll,
    pollAsync: poll.async,
  }
}
