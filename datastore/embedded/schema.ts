/** The embedded store's file: whose it is, its version, its tables. */

import { accessSync, closeSync, constants, openSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { Fault } from '@network/base/run/fault.ts'
import { makeDirectory } from '@network/base/sys/directory.ts'

/** `CALI`, in the file's header: another program's database is not touched. */
const APPLICATION = 0x43414c49
export const SCHEMA_VERSION = 1

/**
 * `entries` is the present, `changes` the past: every write appends one row, and the row's number is the revision. AUTOINCREMENT never uses a
 * number twice, not even of rows that are compacted.
 */
const TABLES = `
  CREATE TABLE changes (revision INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, document TEXT) STRICT;
  CREATE TABLE entries (key TEXT PRIMARY KEY, document TEXT NOT NULL, revision INTEGER NOT NULL) STRICT;
  PRAGMA application_id = ${APPLICATION};
  PRAGMA user_version = ${SCHEMA_VERSION};
`

/** Makes directory and file where they are missing, for their owner only. */
export function makeFile(path: string): void {
  makeDirectory(dirname(path), 0o700)
  // Only ever opened when it did not exist: closing a second descriptor would drop this process's locks on it.
  if (statSync(path, { throwIfNoEntry: false }) === undefined) createFile(path)
}

/** Refuses a path where nobody has made a store. */
export function refuseAbsent(path: string): void {
  const file = statSync(path, { throwIfNoEntry: false })
  if (file !== undefined && (file.size > 0 || !file.isFile())) return
  throw new Fault('datastore.absent', {
    doing: 'open datastore',
    on: path,
    says: file === undefined ? 'there is no such file' : 'the file is empty',
    mend: 'cali-agent and "calictl ippool create" make a store; to use another one, name its file with --datastore or CALI_DATASTORE',
  })
}

/** Refuses what is no file, or may not be written by this user. */
export function checkAccess(path: string): void {
  if (!statSync(path).isFile())
    throw new Fault('datastore.path', { doing: 'open datastore', on: path, says: 'it is not a file', mend: 'name a file' })
  accessSync(path, constants.R_OK | constants.W_OK)
  accessSync(dirname(path), constants.W_OK)
}

/** Refuses what is not ours or too new, makes the tables in what is empty. Every step may meet SQLITE_BUSY and may be repeated. */
export function prepareTables(db: DatabaseSync, path: string): void {
  refuseForeign(db, path)
  const mode = db.prepare('PRAGMA journal_mode = WAL').get()?.['journal_mode']
  if (mode !== 'wal')
    throw new Fault('datastore.no-wal', {
      doing: 'open datastore',
      on: path,
      says: `its file system allows no write-ahead log (journal mode ${String(mode)})`,
      mend: 'put it on a local disk',
    })
  db.exec('PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864')
  if (header(db, 'user_version') === SCHEMA_VERSION) return
  db.exec('BEGIN IMMEDIATE')
  try {
    if (header(db, 'user_version') === 0) db.exec(TABLES)
    db.exec('COMMIT')
  } finally {
    if (db.isTransaction) db.exec('ROLLBACK')
  }
}

function createFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600))
  } catch (reason) {
    if (!(reason instanceof Error && 'code' in reason && reason.code === 'EEXIST')) throw reason
  }
}

function refuseForeign(db: DatabaseSync, path: string): void {
  const { application, version, isEmpty } = readIdentity(db)
  if (application !== APPLICATION && !(application === 0 && version === 0 && isEmpty))
    throw new Fault('datastore.foreign', {
      doing: 'open datastore',
      on: path,
      says: "it is another program's SQLite database",
      mend: 'name another file',
    })
  if (version > SCHEMA_VERSION)
    throw new Fault('datastore.too-new', {
      doing: 'open datastore',
      on: path,
      says: `a newer Cali wrote it: its version is ${version}, this program knows ${SCHEMA_VERSION}`,
      mend: 'use the newer program',
    })
}

/** In one transaction: between two looks another agent may make the tables, and what is half old and half new looks foreign. */
function readIdentity(db: DatabaseSync): { application: number; version: number; isEmpty: boolean } {
  db.exec('BEGIN')
  try {
    return {
      application: header(db, 'application_id'),
      version: header(db, 'user_version'),
      isEmpty: db.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() === undefined,
    }
  } finally {
    if (db.isTransaction) db.exec('ROLLBACK')
  }
}

function header(db: DatabaseSync, field: 'application_id' | 'user_version'): number {
  return Number(db.prepare(`PRAGMA ${field}`).get()?.[field])
}
