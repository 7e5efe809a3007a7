/** Work inside another network namespace, on the main thread and without a gap for other code to run there by mistake. */
import { closeSync, openSync, statfsSync } from 'node:fs'
import { Fault, reasonOf } from '../run/fault.ts'
import { errnoName, errnoText } from './errno.ts'
import { libc } from './libc.ts'

const CLONE_NEWNET = 0x40000000
/** The file system type of /proc/<pid>/ns/* and of what `ip netns add` mounts. */
const NSFS_MAGIC = 0x6e736673
const OWN_NAMESPACE = '/proc/thread-self/ns/net'

/** An open network namespace; keeps it alive until disposed. */
export interface NamespaceHandle extends Disposable {
  readonly fd: number
  readonly path: string
}

/** Opens the network namespace at `path`; a path that is missing or is no namespace is a Fault that names it. */
export function openNamespace(path: string): NamespaceHandle {
  const fd = open(path)
  return { fd, path, [Symbol.dispose]: () => closeSync(fd) }
}

/** Runs `work`, which must be synchronous, inside the namespace at `path`, and always comes back, also when it throws. */
export function inNamespace<T>(path: string, work: () => T extends PromiseLike<unknown> ? never : T): T {
  using own = openNamespace(OWN_NAMESPACE)
  using other = openNamespace(path)
  // Entering our own first proves that we are allowed to come back.
  enter(own, 'sys.setns')
  enter(other, 'sys.setns')
  try {
    return work()
  } finally {
    enter(own, 'sys.namespace-lost')
  }
}

function open(path: string): number {
  try {
    if (statfsSync(path).type === NSFS_MAGIC) return openSync(path, 'r')
  } catch (cause) {
    throw new Fault(
      'sys.namespace',
      { doing: 'open network namespace', on: path, says: reasonOf(cause), errno: errnoIn(cause) },
      { cause },
    )
  }
  throw notNamespace(path)
}

function enter(handle: NamespaceHandle, code: string): void {
  if (libc().setns(handle.fd, CLONE_NEWNET) === 0) return
  const errno = libc().errno()
  const name = errnoName(errno)
  if (name === 'EINVAL') throw notNamespace(handle.path)
  const mend = name === 'EPERM' ? { mend: 'it takes CAP_SYS_ADMIN in both namespaces' } : {}
  throw new Fault(code, { doing: 'enter network namespace', on: handle.path, errno: name, says: errnoText(errno), ...mend })
}

function notNamespace(path: string): Fault {
  return new Fault('sys.namespace', {
    doing: 'open network namespace',
    on: path,
    errno: 'EINVAL',
    says: 'it is not a network namespace',
  })
}

function errnoIn(thrown: unknown): string {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : 'EIO'
}
