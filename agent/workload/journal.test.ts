/** Lines that outlive the process. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { FileJournal } from './journal.ts'

const directory = mkdtempSync(join(tmpdir(), 'cali-journal-'))
after(() => rmSync(directory, { recursive: true }))

const POD = { containerId: 'one', ifName: 'eth0', namespace: 'shop', pod: 'web', network: 'cali' }

test('what was begun is found by the next life, until it is finished', () => {
  const path = join(directory, 'a.unfinished')
  assert.deepEqual(new FileJournal(path).unfinished(), [])
  assert.equal(existsSync(path), false, 'looking makes nothing')
  const journal = new FileJournal(path)
  journal.begin(POD)
  journal.begin(POD)
  journal.begin({ ...POD, containerId: 'two' })
  const next = new FileJournal(path)
  assert.deepEqual(
    next
      .unfinished()
      .map(({ containerId }) => containerId)
      .sort(),
    ['one', 'two'],
  )
  assert.ok(next.isOpen(POD))
  next.finish(POD)
  next.finish(POD)
  assert.equal(journal.isOpen(POD), false)
  assert.deepEqual(journal.unfinished(), [{ ...POD, containerId: 'two' }])
})

test('a line that was cut short, or says something else, is nobody’s', () => {
  const path = join(directory, 'b.unfinished')
  const journal = new FileJournal(path)
  journal.begin(POD)
  writeFileSync(join(path, 'cut.json'), '{"containerId":"on')
  writeFileSync(join(path, 'other.json'), '{"containerId":1}')
  writeFileSync(join(path, 'x.json.new'), '')
  assert.deepEqual(journal.unfinished(), [POD])
  assert.equal(readdirSync(path).length, 4)
})

test('where nothing can be written, the fault names the setting', () => {
  const file = join(directory, 'file')
  writeFileSync(file, '')
  assert.throws(() => new FileJournal(join(file, 'c')).begin(POD), /cannot write .*file\/c.*--run-dir must be writable/)
})
