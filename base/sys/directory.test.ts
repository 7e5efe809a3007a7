import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { makeDirectory } from './directory.ts'

const directory = mkdtempSync(join(tmpdir(), 'cali-directory-'))
after(() => rmSync(directory, { recursive: true }))

test('a directory comes with its parents and its mode, and stays as it is', () => {
  const path = join(directory, 'a', 'b', 'c')
  makeDirectory(path, 0o700)
  assert.equal(statSync(path).mode & 0o777, 0o700)
  makeDirectory(path)
  assert.equal(statSync(path).mode & 0o777, 0o700)
})

test('where none can be, it ends with what the kernel says', () => {
  writeFileSync(join(directory, 'file'), '')
  assert.throws(() => makeDirectory(join(directory, 'file', 'x')), { code: 'ENOTDIR' })
  assert.throws(() => makeDirectory('/proc/nowhere'), { code: 'ENOENT' })
  assert.throws(() => makeDirectory('/proc/nowhere/deeper'), { code: 'ENOENT' })
})
