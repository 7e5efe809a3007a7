/** The ledger's file: lines for each change, on the disk before anybody acts upon it. */

import {
  closeSync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { formatIpv4 } from '@network/base/net/ipv4.ts'
import { Fault, reasonOf } from '@network/base/run/fault.ts'
import type { Log } from '@network/base/run/log.ts'
import { addressField } from '@network/model/resources/fields.ts'
import * as v from 'valibot'
import type { LedgerEntry, LedgerLine, LedgerPaper } from './ledger.ts'

/** Raised when an older agent could misunderstand the file. */
const VERSION = 1

export interface LedgerFileOptions {
  readonly path: string
  /** A ledger of another datastore is none. */
  readonly datastore: string
  /** Id of this boot: pods of another one live no more. */
  readonly boot: string
  readonly log: Log
}

export class LedgerFile implements LedgerPaper {
  readonly #options: LedgerFileOptions
  /** Undefined until something is written, and after a failure that left the file's end in doubt. */
  #file: number | undefined

  constructor(options: LedgerFileOptions) {
    this.#options = options
  }

  get isReady(): boolean {
    return this.#file !== undefined
  }

  read(): readonly LedgerLine[] {
    const { path, datastore, boot, log } = this.#options
    let text: string
    try {
      text = readFileSync(path, 'utf8')
    } catch {
      return []
    }
    const [first = '', ...rest] = text.split('\n')
    const head = v.safeParse(headSchema, decoded(first))
    if (!head.success || head.output.datastore !== datastore) {
      log.warn('ledger cannot be used', { path, why: head.success ? 'it is of another datastore' : 'it cannot be read' })
      return []
    }
    const lines = wholeLines(rest)
    return head.output.boot === boot ? lines : afterBoot(lines)
  }

  append(lines: readonly LedgerLine[]): void {
    if (this.#file === undefined) throw new TypeError('all must be written first')
    const before = fstatSync(this.#file).size
    try {
      writeAll(this.#file, lines.map(line => `${printed(line)}\n`).join(''))
      fdatasyncSync(this.#file)
    } catch (reason) {
      this.#takeBack(before)
      throw this.#refused(reasonOf(reason), reason)
    }
  }

  rewrite(lines: readonly LedgerLine[]): void {
    const { path, datastore, boot } = this.#options
    const fresh = `${path}.new`
    try {
      mkdirSync(dirname(path), { recursive: true })
      const file = openSync(fresh, 'w', 0o600)
      try {
        writeAll(file, [JSON.stringify({ version: VERSION, datastore, boot }), ...lines.map(printed), ''].join('\n'))
        fsyncSync(file)
      } finally {
        closeSync(file)
      }
      renameSync(fresh, path)
      // First of all: what is open is the old file, which has no name any more.
      this.close()
      syncDirectory(dirname(path))
      this.#file = openSync(path, 'a')
    } catch (reason) {
      throw this.#refused(reasonOf(reason), reason)
    }
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file)
    this.#file = undefined
  }

  /** Half a line must not stand before the next one. */
  #takeBack(size: number): void {
    try {
      if (this.#file !== undefined) ftruncateSync(this.#file, size)
    } catch {
      this.close()
    }
  }

  #refused(says: string, cause?: unknown): Fault {
    const detail = { doing: 'write', on: this.#options.path, says, mend: "the agent's --run-dir must be writable and have room" }
    return new Fault('pod.journal', detail, { cause })
  }
}

const text = v.string()
const headSchema = v.object({ version: v.literal(VERSION), datastore: text, boot: text })
const endpointSchema = v.object({
  node: text,
  namespace: text,
  pod: text,
  containerId: text,
  endpoint: text,
  interfaceName: text,
  mac: text,
  addresses: v.array(v.pipe(text, addressField)),
  network: v.exactOptional(text),
})
const lineSchema = v.variant('is', [
  v.object({
    is: v.literal('put'),
    entry: v.object({
      handle: text,
      standing: v.picklist(['held', 'owed', 'left', 'leaving']),
      use: text,
      address: v.exactOptional(v.pipe(text, addressField)),
      endpoint: v.exactOptional(endpointSchema),
      at: text,
    }),
  }),
  v.object({ is: v.literal('drop'), handle: text }),
  v.object({ is: v.literal('whole') }),
])

function printed(line: LedgerLine): string {
  if (line.is !== 'put') return JSON.stringify(line)
  const { address, endpoint, ...rest } = line.entry
  return JSON.stringify({
    is: 'put',
    entry: {
      ...rest,
      ...(address === undefined ? {} : { address: formatIpv4(address) }),
      ...(endpoint === undefined ? {} : { endpoint: { ...endpoint, addresses: endpoint.addresses.map(formatIpv4) } }),
    },
  })
}

/** Up to the first that was cut short: nobody has acted upon that one. */
function wholeLines(texts: readonly string[]): readonly LedgerLine[] {
  const lines: LedgerLine[] = []
  // What follows the last end of line was not written whole.
  for (const one of texts.slice(0, -1)) {
    const read = v.safeParse(lineSchema, decoded(one))
    // Somebody else wrote here: what follows may have told of more.
    if (!read.success) return lines.filter(({ is }) => is !== 'whole')
    lines.push(read.output)
  }
  return lines
}

/** Nothing that is written here lives any more, and the datastore may have been told since what else there is. */
function afterBoot(lines: readonly LedgerLine[]): readonly LedgerLine[] {
  const gone = (entry: LedgerEntry): LedgerEntry => (entry.standing === 'owed' ? { ...entry, standing: 'leaving' } : entry)
  return lines.flatMap(line => {
    if (line.is === 'whole') return []
    return line.is === 'put' ? { ...line, entry: gone(line.entry) } : line
  })
}

function decoded(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

function writeAll(file: number, content: string): void {
  const octets = Buffer.from(content)
  for (let at = 0; at < octets.length; ) at += writeSync(file, octets, at)
}

/** The name too must outlive the machine's power. */
function syncDirectory(path: string): void {
  const directory = openSync(path, 'r')
  try {
    fsyncSync(directory)
  } finally {
    closeSync(directory)
  }
}
