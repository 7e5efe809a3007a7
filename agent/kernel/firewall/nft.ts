/** Runs nft(8): whole transactions in, lists out, JSON both ways (libnftables-json(5)). */

import { memoryFile } from '@network/base/sys/memory-file.ts'
import { isRecord } from '@network/model/resources/kind.ts'
import { execa } from 'execa'

export type Json = Readonly<Record<string, unknown>>

/** One object of a list, or one command of a transaction, by its kind: `{ chain: … }`, `{ add: … }`. */
export type Objects = readonly Json[]

export type Answer<T> =
  | { readonly is: 'done'; readonly value: T }
  /** What was asked for is not there. */
  | { readonly is: 'absent' }
  /** The command itself is not installed. */
  | { readonly is: 'missing' }
  | { readonly is: 'refused'; readonly says: string }

export interface Nft {
  /** `nft list …`; `garbled`: no JSON came, as where nft 1.0 names the flags of a table that sleeps by whatever lies in its memory. */
  list(what: readonly string[]): Promise<Answer<Objects> | { readonly is: 'garbled' }>
  /** All commands or none. */
  commit(commands: Objects): Promise<Answer<undefined>>
}

const TIMEOUT_MS = 30_000
/** An agent started by a service manager may have no directories of administration in its PATH. */
const ENVIRONMENT = { PATH: `${process.env['PATH'] ?? '/usr/bin:/bin'}:/usr/sbin:/sbin`, LC_ALL: 'C' }

/** The program of this machine, in this network namespace. */
export const systemNft: Nft = {
  async list(what) {
    // Numbers instead of names: what a name stands for is up to files of the machine.
    const ended = await run('nft', ['-j', '-n', 'list', ...what])
    if (ended.is !== 'done') return ended
    const value = objectsIn(ended.value)
    return value === undefined ? { is: 'garbled' } : { is: 'done', value }
  },
  async commit(commands) {
    // What Node pipes to a child is a socket, which nft cannot open as a file.
    using input = memoryFile(JSON.stringify({ nftables: commands }))
    const ended = await run('nft', ['-j', '-f', input.path])
    return ended.is === 'done' ? { is: 'done', value: undefined } : ended
  },
}

/** Runs a command that administers packet filters. */
export async function run(command: string, argv: readonly string[]): Promise<Answer<string>> {
  const ended = await execa(command, argv, {
    reject: false,
    timeout: TIMEOUT_MS,
    env: ENVIRONMENT,
    maxBuffer: 1 << 28,
    stdin: 'ignore',
  })
  if (!ended.failed) return { is: 'done', value: ended.stdout }
  if (ended.code === 'ENOENT') return { is: 'missing' }
  const says = (ended.stderr || ended.shortMessage || 'no reason given').trim().split('\n', 1).join('')
  return /No such file or directory/.test(says) ? { is: 'absent' } : { is: 'refused', says }
}

/** Undefined where it is no JSON. */
function objectsIn(text: string): Objects | undefined {
  const document = parsed(text.trim() === '' ? '{}' : text)
  if (document === undefined) return undefined
  const objects = isRecord(document) ? document['nftables'] : undefined
  return Array.isArray(objects) ? objects.filter(isRecord) : []
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
