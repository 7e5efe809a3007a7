/** What every backend promises, as tests. */

import { describe, test } from 'node:test'
import { ends } from './contract/ends.ts'
import { documents, keys, lists } from './contract/keys.ts'
import { KEEP, type Opened } from './contract/promise.ts'
import { races } from './contract/races.ts'
import { watches } from './contract/watches.ts'

export interface Backend {
  /** A fresh, empty store. `keep`: the changes that it remembers, at the least; of 10 times as many it must have forgotten some. */
  open(options: { readonly keep: number }): Promise<Opened>
}

/** Declares the suite for one backend. */
export function contractOf(name: string, backend: Backend): void {
  const promise = (says: string, check: (opened: Opened) => Promise<void>) =>
    test(says, { timeout: 20_000 }, async ({ signal }) => {
      const opened = await backend.open({ keep: KEEP })
      // When the time is over, whatever still waits for a store hears that it is closed.
      signal.addEventListener('abort', () => void opened.close())
      try {
        await check(opened)
      } finally {
        await opened.close()
      }
    })
  describe(`${name} keeps the contract`, () => {
    describe('keys', () => keys(promise))
    describe('lists', () => lists(promise))
    describe('documents', () => documents(promise))
    describe('races', () => races(promise))
    describe('watches', () => watches(promise))
    describe('ends', () => ends(promise))
  })
}
