/** Names and sentences for the kernel's error numbers. */
import { constants } from 'node:os'
import { getSystemErrorMessage } from 'node:util'

/** `ENOENT`, `EEXIST`, …; a number that Node does not know is `ERRNO_<number>`. */
export type Errno = string

/** Numbers with two names in the C library: the one that the kernel's own source uses. */
const PREFERRED = new Set(['EAGAIN', 'EOPNOTSUPP', 'EDEADLK'])

const NAMES = namesByNumber()

/** The name of an error number; the sign does not matter, because netlink sends negative ones. */
export function errnoName(errno: number): Errno {
  const number = Math.abs(errno)
  return NAMES.get(number) ?? `ERRNO_${number}`
}

/** A few words for people: `no such file or directory`. */
export function errnoText(errno: number): string {
  const number = Math.abs(errno)
  return number === 0 || number > 4095 ? `error ${number}` : getSystemErrorMessage(-number)
}

function namesByNumber(): ReadonlyMap<number, Errno> {
  const names = new Map<number, Errno>()
  for (const [name, number] of Object.entries(constants.errno)) {
    if (!names.has(number) || PREFERRED.has(name)) names.set(number, name)
  }
  return names
}
