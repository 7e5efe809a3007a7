/** A file that lives in memory alone: input for programs that open theirs as a file, which what Node pipes to them is not. */
import { writeFileSync } from 'node:fs'
import { libc } from './libc.ts'
import { closeDescriptor, must } from './socket.ts'

const MFD_CLOEXEC = 1

export interface MemoryFile extends Disposable {
  /** Opens for whoever runs as the same user. */
  readonly path: string
}

/** A file with this text, to be opened by its path as long as it is not disposed. */
export function memoryFile(text: string): MemoryFile {
  const fd = must(libc().memfdCreate('cali', MFD_CLOEXEC), 'memfd_create', { doing: 'make', on: 'a file in memory' })
  const file = { path: `/proc/${process.pid}/fd/${fd}`, [Symbol.dispose]: () => closeDescriptor(fd) }
  try {
    writeFileSync(fd, text)
    return file
  } catch (reason) {
    closeDescriptor(fd)
    throw reason
  }
}
