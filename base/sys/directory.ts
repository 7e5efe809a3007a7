/** Directories with their parents, where Node's own way does not end. */
import { existsSync, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Makes the directory and what is missing above it, with this mode; one that is there stays as it is. Throws what the kernel says. With
 * `recursive`, Node tries for ever where a parent is there and takes no child, as in /proc.
 */
export function makeDirectory(path: string, mode = 0o755): void {
  try {
    mkdirSync(path, { mode })
  } catch (reason) {
    const errno = reason instanceof Error && 'code' in reason ? reason.code : undefined
    if (errno === 'EEXIST') return
    if (errno !== 'ENOENT' || existsSync(dirname(path))) throw reason
    makeDirectory(dirname(path), mode)
    // Again: somebody else may have been faster.
    makeDirectory(path, mode)
  }
}
