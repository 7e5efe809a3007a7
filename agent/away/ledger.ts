/**
 * What this node's pods have, written down on this machine: so that a pod can come and go while the datastore is away, and no address is given
 * twice whatever dies in between.
 */

import type { Ipv4 } from '@network/base/net/ipv4.ts'
import { Fault } from '@network/base/run/fault.ts'
import type { WorkloadEndpoint } from '@network/model/resources/workload-endpoint.ts'

/** How a claim on an address stands here, and what the datastore knows of it. */
export type Standing =
  /** It lives here, and the datastore has it. */
  | 'held'
  /** It lives here, and the datastore has not been told. */
  | 'owed'
  /** It is gone from here, and the datastore surely has it still. */
  | 'left'
  /** It is gone from here; what the datastore knows of it nobody can say. */
  | 'leaving'

export interface LedgerEntry {
  /** What the address is released by. */
  readonly handle: string
  readonly standing: Standing
  /** `namespace/pod`, or `tunnel`. */
  readonly use: string
  /** Undefined where none is known. */
  readonly address?: Ipv4
  /** Undefined until the pod is wired, and for what is no pod. */
  readonly endpoint?: WorkloadEndpoint
  /** RFC 3339: when it came to stand so. */
  readonly at: string
}

/** Where the lines are kept: what was appended is there for the next life, however this one ends. */
export interface LedgerPaper {
  /** Lines of earlier lives, in order. */
  read(): readonly LedgerLine[]
  /** False where nothing can be appended before all is written anew: at the start, and after a failure. */
  readonly isReady: boolean
  append(lines: readonly LedgerLine[]): void
  /** In place of all that is there. */
  rewrite(lines: readonly LedgerLine[]): void
}

export type LedgerLine =
  | { readonly is: 'put'; readonly entry: LedgerEntry }
  | { readonly is: 'drop'; readonly handle: string }
  /** From here on the lines tell of all that this node has. */
  | { readonly is: 'whole' }

/** So many lines more than entries, and they are written anew. */
const SLACK = 512

export class Ledger {
  readonly #paper: LedgerPaper
  readonly #entries = new Map<string, LedgerEntry>()
  #lines = 0
  #whole = false

  constructor(paper: LedgerPaper) {
    this.#paper = paper
    for (const line of paper.read()) this.#take(line)
  }

  /** By handle. */
  get entries(): ReadonlyMap<string, LedgerEntry> {
    return this.#entries
  }

  /** False until it was compared with the datastore once: what it does not name may be there all the same. */
  get isWhole(): boolean {
    return this.#whole
  }

  /** Those that live here. */
  get living(): readonly LedgerEntry[] {
    return [...this.#entries.values()].filter(isAlive)
  }

  /** Endpoints that the datastore is to be told of, or told to forget. */
  get unwritten(): readonly LedgerEntry[] {
    return [...this.#entries.values()].filter(({ standing, endpoint }) =>
      standing === 'owed' ? endpoint !== undefined : standing !== 'held',
    )
  }

  /** Durable when it returns; a Fault when it cannot be, and then nothing changed. */
  put(entry: LedgerEntry): void {
    this.putAll([entry])
  }

  /** All of them at once. */
  putAll(entries: readonly LedgerEntry[]): void {
    if (entries.length > 0) this.#write(entries.map(entry => ({ is: 'put', entry })))
  }

  drop(handle: string): void {
    if (this.#entries.has(handle)) this.#write([{ is: 'drop', handle }])
  }

  /** It names all that this node has. */
  beWhole(): void {
    if (!this.#whole) this.#write([{ is: 'whole' }])
  }

  #write(lines: readonly LedgerLine[]): void {
    if (this.#paper.isReady) this.#paper.append(lines)
    else this.#rewrite(lines)
    for (const line of lines) this.#take(line)
    if (this.#lines <= this.#entries.size + SLACK) return
    try {
      this.#rewrite()
    } catch (reason) {
      // The line is there, and the long file serves as well.
      if (!(reason instanceof Fault)) throw reason
    }
  }

  #take(line: LedgerLine): void {
    this.#lines++
    switch (line.is) {
      case 'put':
        this.#entries.set(line.entry.handle, line.entry)
        break
      case 'drop':
        this.#entries.delete(line.handle)
        break
      case 'whole':
        this.#whole = true
        break
      default:
        line satisfies never
    }
  }

  #rewrite(more: readonly LedgerLine[] = []): void {
    const puts = [...this.#entries.values()].map((entry): LedgerLine => ({ is: 'put', entry }))
    const lines: readonly LedgerLine[] = this.#whole ? [...puts, { is: 'whole' }] : puts
    this.#paper.rewrite([...lines, ...more])
    this.#lines = lines.length
  }
}

export function isAlive({ standing }: LedgerEntry): boolean {
  return standing === 'held' || standing === 'owed'
}
