import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Fault } from '../run/fault.ts'
import { errnoName, errnoText } from './errno.ts'
import { memoryFile } from './memory-file.ts'
import { inNamespace, openNamespace } from './namespace.ts'
import { readable, readableWithin } from './readable.ts'
import { closeDescriptor, getsockoptInt, openSocket, receive, SOL_SOCKET, setsockopt, setsockoptInt } from './socket.ts'

const AF_INET = 2
const SOCK_DGRAM = 2
const SO_REUSEADDR = 2

for (const { errno, name } of [
  { errno: 2, name: 'ENOENT' },
  { errno: -17, name: 'EEXIST' },
  { errno: 11, name: 'EAGAIN' },
  { errno: 95, name: 'EOPNOTSUPP' },
  { errno: 101, name: 'ENETUNREACH' },
  { errno: 512, name: 'ERRNO_512' },
]) {
  test(`errno ${errno} is ${name}`, () => {
    assert.equal(errnoName(errno), name)
    assert.notEqual(errnoText(errno), '')
  })
}

test('a number that is no errno has words all the same', () => {
  for (const errno of [0, 133, 5000]) assert.equal(typeof errnoText(errno), 'string')
})

test('options are set and read back', () => {
  using socket = datagramSocket()
  setsockoptInt(socket.fd, SOL_SOCKET, SO_REUSEADDR, 1)
  assert.equal(getsockoptInt(socket.fd, SOL_SOCKET, SO_REUSEADDR), 1)
})

test('an option that the kernel does not know is a fault with its errno', () => {
  using socket = datagramSocket()
  assert.throws(() => setsockopt(socket.fd, SOL_SOCKET, 9999, new Uint8Array(4)), isFault('sys.setsockopt', 'ENOPROTOOPT'))
})

test('a family that the kernel does not know is a fault with its errno', () => {
  assert.throws(() => openSocket(999, SOCK_DGRAM, 0), isFault('sys.socket', 'EAFNOSUPPORT'))
})

test('nothing to receive is a value', () => {
  using socket = datagramSocket()
  assert.equal(receive(socket.fd, new Uint8Array(8)), 'EAGAIN')
  assert.equal(readableWithin(socket.fd, 0), false)
})

test('a wait ends as soon as it is abandoned', async () => {
  using socket = datagramSocket()
  const abandon = new AbortController()
  const waiting = readable(socket.fd, abandon.signal)
  abandon.abort()
  assert.equal(await waiting, false)
  assert.equal(await readable(socket.fd, abandon.signal), false)
})

for (const { path, errno } of [
  { path: '/run/netns/no-such-namespace', errno: 'ENOENT' },
  { path: '/proc/version', errno: 'EINVAL' },
  { path: '/tmp', errno: 'EINVAL' },
]) {
  test(`${path} is no namespace, and the fault names it`, () => {
    const named = (thrown: unknown) => isFault('sys.namespace', errno)(thrown) && String(thrown).includes(path)
    assert.throws(() => openNamespace(path), named)
    assert.throws(() => inNamespace(path, () => 1), named)
  })
}

test('a file in memory is read by whoever opens it, from its beginning', () => {
  using file = memoryFile('one\ntwo\n')
  assert.equal(readFileSync(file.path, 'utf8'), 'one\ntwo\n')
})

function datagramSocket(): Disposable & { readonly fd: number } {
  const fd = openSocket(AF_INET, SOCK_DGRAM, 0)
  return { fd, [Symbol.dispose]: () => closeDescriptor(fd) }
}

function isFault(code: string, errno: string): (thrown: unknown) => boolean {
  return thrown => thrown instanceof Fault && thrown.code === code && thrown.detail.errno === errno
}
