/** Waits for a descriptor: in libuv's thread pool with an AbortSignal, or synchronously with a bound. */
import { Fault } from '../run/fault.ts'
import { errnoName, errnoText } from './errno.ts'
import { libc } from './libc.ts'
import { closeDescriptor, must } from './socket.ts'

const POLLIN = 1
const EFD_CLOEXEC = 0o2000000
const EFD_NONBLOCK = 0o4000

const ONE = new Uint8Array(new BigUint64Array([1n]).buffer)

/**
 * Resolves to true when `fd` can be read (or has an error to tell) and to false as soon as `signal` aborts.
 * Holds one of libuv's four threads meanwhile; `fd` must stay open until it settles.
 */
export function readable(fd: number, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return Promise.resolve(false)
  const waker = must(libc().eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), 'eventfd', { doing: 'open', on: 'an event descriptor' })
  const fds = pollSet([fd, waker])
  const wake = () => {
    libc().write(waker, ONE, ONE.length)
  }
  signal.addEventListener('abort', wake, { once: true })
  process.once('exit', wake)
  return new Promise((resolve, reject) => {
    libc().pollAsync(fds, 2, -1, (error, ready) => {
      signal.removeEventListener('abort', wake)
      process.removeListener('exit', wake)
      closeDescriptor(waker)
      if (error) reject(error)
      else if (signal.aborted) resolve(false)
      else resolve(ready !== 0)
    })
  })
}

/** Blocks the caller until `fd` can be read, at most `timeoutMs`; true when it can. For replies that the kernel has already begun. */
export function readableWithin(fd: number, timeoutMs: number): boolean {
  for (;;) {
    const ready = libc().poll(pollSet([fd]), 1, timeoutMs)
    if (ready >= 0) return ready > 0
    const errno = libc().errno()
    if (errnoName(errno) !== 'EINTR')
      throw new Fault('sys.poll', { doing: 'wait for', on: `descriptor ${fd}`, errno: errnoName(errno), says: errnoText(errno) })
  }
}

/** An array of `struct pollfd`, each asking for input. */
function pollSet(fds: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(fds.length * 8))
  const little = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1
  for (const [at, fd] of fds.entries()) {
    view.setInt32(at * 8, fd, little)
    view.setInt16(at * 8 + 4, POLLIN, little)
  }
  return new Uint8Array(view.buffer)
}
