/** SQLite's and the file system's refusals, as Faults that name the file and what mends it. */

import { dirname } from 'node:path'
import { Fault, type FaultDetail, reasonOf } from '@network/base/run/fault.ts'

/** SQLite's primary result codes; extended ones carry them in their low octet. */
const SQLITE = {
  perm: 3,
  busy: 5,
  locked: 6,
  noMem: 7,
  readonly: 8,
  ioErr: 10,
  corrupt: 11,
  full: 13,
  cantOpen: 14,
  protocol: 15,
  notADb: 26,
}

/** Another process is at it right now: trying again helps. */
export function isBusy(thrown: unknown): boolean {
  const code = primaryCode(thrown)
  return code === SQLITE.busy || code === SQLITE.locked || code === SQLITE.protocol
}

/** A Fault for an error of SQLite or the file system; anything else is a bug and comes back as it is. */
export function troubleOf(thrown: unknown, { doing, path }: { readonly doing: string; readonly path: string }): unknown {
  const told = toldBySqlite(thrown, path) ?? toldBySystem(thrown, path)
  if (told === undefined) return thrown
  const [code, detail] = told
  return new Fault(code, { doing, on: path, ...detail }, { cause: thrown })
}

export function lockedOut(path: string, doing: string): Fault {
  return new Fault('datastore.locked', {
    doing,
    on: path,
    says: 'another process has kept it locked for 10 seconds',
    mend: `see who with "fuser ${path}", and end what hangs`,
  })
}

type Told = readonly [code: string, detail: Omit<FaultDetail, 'doing' | 'on'>]

function toldBySqlite(thrown: unknown, path: string): Told | undefined {
  const restore = 'move it away and restore a copy; nodes register again by themselves, pools have to be created again'
  switch (primaryCode(thrown)) {
    case SQLITE.busy:
    case SQLITE.locked:
    case SQLITE.protocol:
      return ['datastore.locked', { says: 'another process keeps it locked', mend: `see who with "fuser ${path}"` }]
    case SQLITE.perm:
    case SQLITE.readonly:
    case SQLITE.cantOpen:
      return ['datastore.forbidden', { says: reasonOf(thrown), mend: mendAccess(path) }]
    case SQLITE.corrupt:
      return ['datastore.corrupt', { says: 'the file is damaged', mend: restore }]
    case SQLITE.notADb:
      return [
        'datastore.not-a-database',
        { says: 'the file is not an SQLite database', mend: 'name another file, or move it away' },
      ]
    case SQLITE.full:
      return ['datastore.full', { says: 'the disk is full', mend: `free space where ${dirname(path)} lies` }]
    case SQLITE.noMem:
    case SQLITE.ioErr:
      return ['datastore.io', { says: reasonOf(thrown), mend: mendDisk(path) }]
    default:
      return undefined
  }
}

function toldBySystem(thrown: unknown, path: string): Told | undefined {
  const errno = thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : ''
  switch (errno) {
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return ['datastore.forbidden', { says: 'permission denied or read-only', errno, mend: mendAccess(path) }]
    case 'ENOSPC':
    case 'EDQUOT':
      return ['datastore.full', { says: 'the disk is full', errno, mend: `free space where ${dirname(path)} lies` }]
    case 'ENOTDIR':
    case 'EEXIST':
    case 'EISDIR':
    case 'ENAMETOOLONG':
    case 'ELOOP':
    case 'ENOENT':
      return ['datastore.path', { says: 'the path cannot be a file', errno, mend: 'name a file in a directory' }]
    default:
      return /^E(?!RR_)/.test(errno) ? ['datastore.io', { says: reasonOf(thrown), errno, mend: mendDisk(path) }] : undefined
  }
}

function mendDisk(path: string): string {
  return `look for errors of the disk that ${dirname(path)} lies on (dmesg), and for open-file and memory limits`
}

function mendAccess(path: string): string {
  return `run as a user who may write both ${path} and ${dirname(path)}, such as root, or name another file`
}

function primaryCode(thrown: unknown): number | undefined {
  return thrown instanceof Error && 'errcode' in thrown && typeof thrown.errcode === 'number' ? thrown.errcode & 0xff : undefined
}
