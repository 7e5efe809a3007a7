/** Documents as people write them: the bad ones are refused with the sentences beside them, the good ones are taken. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Loaded, loadDocuments, tellProblem } from '@network/model/documents/load.ts'

const BAD = join(import.meta.dirname, 'bad')
const GOOD = join(import.meta.dirname, 'good')

/** All that is said of a file, a line each, as calictl says it. */
function told(loaded: readonly Loaded[], file: string): string {
  const lines = loaded.flatMap(one => {
    if (one.is === 'wrong') return one.problems.map(problem => tellProblem(problem, file))
    if (one.is === 'lacking') return [`${file}:${one.line}: ${one.kindName} ${one.name} is of a kind that is not here`]
    return one.warnings.map(warning => `warning: ${tellProblem(warning, file)}`)
  })
  return lines.map(line => `${line}\n`).join('')
}

function yamlIn(folder: string): readonly string[] {
  return readdirSync(folder).filter(name => name.endsWith('.yaml'))
}

test('there are a hundred bad documents or more, each with its sentences', () => {
  const names = readdirSync(BAD)
  assert.ok(yamlIn(BAD).length >= 100)
  assert.deepEqual(
    yamlIn(BAD).filter(name => !names.includes(name.replace(/yaml$/, 'txt'))),
    [],
  )
})

for (const name of yamlIn(BAD))
  test(`${name} is refused with the right sentences`, () => {
    const loaded = loadDocuments(readFileSync(join(BAD, name), 'utf8'))
    assert.ok(loaded.some(one => one.is === 'wrong'))
    assert.equal(told(loaded, name), readFileSync(join(BAD, name.replace(/yaml$/, 'txt')), 'utf8'))
  })

for (const name of yamlIn(GOOD))
  test(`${name} is taken, and taken again as it is stored`, () => {
    const loaded = loadDocuments(readFileSync(join(GOOD, name), 'utf8'))
    assert.ok(loaded.length > 0)
    for (const one of loaded) {
      assert.ok(one.is === 'read', told(loaded, name))
      const again = one.kind.parse(one.document)
      assert.ok(again.ok)
      assert.deepEqual(again.document, one.document)
      assert.deepEqual(again.warnings, [])
    }
    const expected = readdirSync(GOOD).includes(name.replace(/yaml$/, 'txt'))
      ? readFileSync(join(GOOD, name.replace(/yaml$/, 'txt')), 'utf8')
      : ''
    assert.equal(told(loaded, name), expected)
  })
