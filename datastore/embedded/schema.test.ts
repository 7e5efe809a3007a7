import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, test } from 'node:test'
import { prepareTables } from './schema.ts'

const folder = mkdtempSync(join(tmpdir(), 'cali-schema-'))
after(() => rmSync(folder, { recursive: true }))

test('a store that another agent makes between two looks at the file is not taken for a stranger’s', () => {
  for (const look of [1, 2, 3]) {
    const path = join(folder, `look-${look}.db`)
    using other = new DatabaseSync(path, { timeout: 0 })
    using late = new InterruptedDatabase(path, look, () => prepareTables(other, path))
    assert.doesNotThrow(() => prepareWithPatience(late, path), `before look ${look}`)
    assert.equal(late.prepare('PRAGMA user_version').get()?.['user_version'], 1)
  }
})

/** Lets somebody else have a try just before the look that is counted. */
class InterruptedDatabase extends DatabaseSync {
  readonly #interrupt: () => void
  #looks: number
  constructor(path: string, looks: number, interrupt: () => void) {
    super(path, { timeout: 0 })
    this.#looks = looks
    this.#interrupt = interrupt
  }
  override prepare(sql: string) {
    if (--this.#looks === 0) whenFree(this.#interrupt)
    return super.prepare(sql)
  }
}

function prepareWithPatience(db: DatabaseSync, path: string): void {
  if (!whenFree(() => prepareTables(db, path))) prepareTables(db, path)
}

/** False when the file was locked: the other one goes first. */
function whenFree(work: () => void): boolean {
  try {
    work()
    return true
  } catch (reason) {
    if (reason instanceof Error && /database is locked/.test(reason.message)) return false
    throw reason
  }
}
