/** What was begun and not finished: read by the next life of the agent, which takes it back. */

import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Fault, reasonOf } from '@network/base/run/fault.ts'
import * as v from 'valibot'
import { addressHandle } from './names.ts'
import type { PodInterface } from './request.ts'

/**
 * Holds a line for every attachment that is being made or taken away. The datastore cannot: a veth that no endpoint names yet, or names no
 * more, is told from a stranger's only by what was written before it was touched.
 */
export interface Journal {
  /** Done again, it changes nothing. */
  begin(pod: PodInterface): void
  finish(pod: PodInterface): void
  isOpen(pod: PodInterface): boolean
  unfinished(): readonly PodInterface[]
}

/** One small file an attachment, in a directory that does not outlive the machine's uptime: a veth does not either. */
export class FileJournal implements Journal {
  readonly #directory: string

  /** The directory is made when it is first needed. */
  constructor(directory: string) {
    this.#directory = directory
  }

  begin(pod: PodInterface): void {
    const file = this.#fileOf(pod)
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 })
      // Whoever reads it later finds all of it or nothing.
      writeFileSync(`${file}.new`, JSON.stringify(pod))
      renameSync(`${file}.new`, file)
    } catch (cause) {
      throw new Fault(
        'pod.journal',
        { doing: 'write', on: file, says: reasonOf(cause), mend: "the agent's --run-dir must be writable and have room" },
        { cause },
      )
    }
  }

  finish(pod: PodInterface): void {
    rmSync(this.#fileOf(pod), { force: true })
  }

  isOpen(pod: PodInterface): boolean {
    return existsSync(this.#fileOf(pod))
  }

  /** A file that says nothing sensible is nobody's. */
  unfinished(): readonly PodInterface[] {
    return filesIn(this.#directory).flatMap(name => {
      const read = v.safeParse(podInterface, contentOf(join(this.#directory, name)))
      return read.success ? [read.output] : []
    })
  }

  #fileOf(pod: PodInterface): string {
    return join(this.#directory, `${createHash('sha1').update(addressHandle(pod)).digest('hex')}.json`)
  }
}

const podInterface = v.object({
  containerId: v.string(),
  ifName: v.string(),
  namespace: v.string(),
  pod: v.string(),
  network: v.string(),
})

function filesIn(directory: string): string[] {
  try {
    return readdirSync(directory).filter(name => name.endsWith('.json'))
  } catch {
    // Nothing was ever begun.
    return []
  }
}

function contentOf(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
}
