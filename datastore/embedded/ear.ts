/** Processes that share the store's file tell each other of what they wrote. */

import { type FSWatcher, utimesSync, watch } from 'node:fs'
import { basename, dirname } from 'node:path'
import { reasonOf } from '@network/base/run/fault.ts'
import type { Log } from '@network/base/run/log.ts'
import type { Clock } from '@network/base/time/clock.ts'
import { after, millis } from '@network/base/time/units.ts'
import { Bell } from '../bell.ts'

/** What notifications miss is seen this much later. */
const POLL = millis(250)

/**
 * Sets the file's time after a commit. The commit itself makes itself heard too early: the write-ahead log is written first, then synced,
 * and only then can others read what is in it.
 */
export function tellOthers(path: string, { clock, log }: { readonly clock: Clock; readonly log: Log }): void {
  const now = clock.wall()
  try {
    utimesSync(path, now, now)
  } catch (reason) {
    log.debug('other processes will see a write by polling only', { path, why: reasonOf(reason) })
  }
}

/** Notifications are a hint, the poll is the promise. */
export class Ear {
  readonly bell = new Bell()
  readonly #clock: Clock
  readonly #watcher: FSWatcher | undefined

  constructor(path: string, { clock, log }: { readonly clock: Clock; readonly log: Log }) {
    this.#clock = clock
    this.#watcher = this.#listen(path, log)
  }

  /** Resolves when the file may have changed, or the signal aborts. */
  async heard(signal: AbortSignal): Promise<void> {
    const cancel = this.#clock.wakeAt(after(this.#clock.now(), POLL), () => this.bell.ring())
    try {
      await this.bell.rung(signal)
    } finally {
      cancel()
    }
  }

  [Symbol.dispose](): void {
    this.#watcher?.close()
  }

  #listen(path: string, log: Log): FSWatcher | undefined {
    const deaf = (reason: unknown) => log.warn('datastore is polled only', { path, why: reasonOf(reason) })
    try {
      const watcher = watch(dirname(path), (_, name) => {
        if (name === null || name === basename(path)) this.bell.ring()
      })
      return watcher.on('error', deaf)
    } catch (reason) {
      deaf(reason)
      return undefined
    }
  }
}
