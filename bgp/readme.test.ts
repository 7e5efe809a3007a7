/** The README's table of what is tested where: every test that it names exists. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'

const HERE = import.meta.dirname
const TEXT = readFileSync(join(HERE, 'README.md'), 'utf8')
const TABLE = TEXT.slice(TEXT.indexOf('## What is tested where'), TEXT.indexOf('## What is left out'))

describe('the table of tests', () => {
  const rows = TABLE.split('\n').filter(line => line.startsWith('| ') && !line.startsWith('| what '))

  test('has a line for all that a speaker must do', () => assert.ok(rows.length > 90, `${rows.length} lines`))

  for (const row of rows) {
    const [, what = '', , tests = ''] = row
      .split(' | ')
      .map(cell => cell.replace(/^\| | \|$/g, ''))
      .flatMap((cell, at) => (at === 0 ? ['', cell] : [cell]))
    test(what, () => assert.deepEqual(missing(tests), []))
  }

  test('P0: a test that is not there is found missing', () => {
    assert.deepEqual(missing('`readme.test.ts` › P0: a test that is not there'), [])
    assert.deepEqual(missing('`readme.test.ts` › no such ' + 'words'), ['readme.test.ts › no such words'])
    assert.deepEqual(missing('`nowhere.test.ts` › anything'), ['nowhere.test.ts'])
    assert.deepEqual(missing(''), ['no test'])
  })
})

/** What a cell names and nobody finds. */
function missing(cell: string): readonly string[] {
  const references = cell.split('; ').map(each => /^`([^`]+)` › (.+)$/.exec(each))
  return references.flatMap(reference => {
    const [, file, words] = reference ?? []
    if (file === undefined || words === undefined) return ['no test']
    const path = file.startsWith('test/') ? join(HERE, '..', file) : join(HERE, file)
    if (!existsSync(path)) return [file]
    const titles = titlesIn(readFileSync(path, 'utf8'))
    return words.split(' · ').flatMap(each => (titles.some(title => title.includes(each)) ? [] : [`${file} › ${each}`]))
  })
}

/** Texts that may be in the title of a test: of calls of `test` and `describe`, and of the fields of cases that go into them. */
function titlesIn(code: string): readonly string[] {
  const title = /\b(?:test|describe)\(\s*(['"`])(.*?)\1|\b(?:name|by|why|says|text|rule|from|ask): (['"`])(.*?)\3/g
  return [...code.matchAll(title)].map(([, , called, , field]) => called ?? field ?? '')
}
