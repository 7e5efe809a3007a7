/**
 * A writer that kills itself, as `kill -9` does, right after the n-th thing that it asks of SQLite:
 * `node dying.ts <path> <n> <changes to keep> <writes>`. Prints each number when the store has acknowledged its write.
 */

import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementResultingChanges, StatementSync } from 'node:sqlite'
import { systemClock, systemRandom } from '@network/base/time/clock.ts'
import { EmbeddedStore } from '../embedded/store.ts'

type Row = Record<string, SQLOutputValue>

const [path = '', last, keep, writes] = process.argv.slice(2)
let steps = 0
dieAfterEachStep()

const signal = new AbortController().signal
await using store = await EmbeddedStore.open(path, { clock: systemClock, random: systemRandom, keep: Number(keep) })
for (let n = 0; n < Number(writes); n++) {
  const created = await store.create(`/w/${n}`, { n, filling: 'x'.repeat(300) }, { signal })
  if (created.is === 'written') process.stdout.write(`${n}\n`)
}
process.stdout.write(`done ${steps}\n`)

/** Every statement of SQLite goes through one of these. */
function dieAfterEachStep(): void {
  const { exec } = DatabaseSync.prototype
  DatabaseSync.prototype.exec = function (...words) {
    exec.apply(this, words)
    step()
  }
  const run: (this: StatementSync, ...words: SQLInputValue[]) => StatementResultingChanges = StatementSync.prototype.run
  const get: (this: StatementSync, ...words: SQLInputValue[]) => Row | undefined = StatementSync.prototype.get
  Object.assign(StatementSync.prototype, {
    run(this: StatementSync, ...words: SQLInputValue[]) {
      const outcome = run.apply(this, words)
      step()
      return outcome
    },
    get(this: StatementSync, ...words: SQLInputValue[]) {
      const row = get.apply(this, words)
      step()
      return row
    },
  })
}

function step(): void {
  steps += 1
  if (steps === Number(last)) process.kill(process.pid, 'SIGKILL')
}
