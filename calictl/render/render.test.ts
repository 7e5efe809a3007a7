/** Tables and times as people see them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ago } from './ago.ts'
import { table } from './table.ts'
import { wrapped } from './wrap.ts'
import { yaml } from './yaml.ts'

const NOW = new Date('2026-01-10T12:00:00Z')

const TIMES: readonly (readonly [string, string])[] = [
  ['2026-01-10T12:00:00Z', '0s'],
  ['2026-01-10T11:59:59.400Z', '0s'],
  ['2026-01-10T11:59:18Z', '42s'],
  ['2026-01-10T11:58:00Z', '2m'],
  ['2026-01-10T11:57:55Z', '2m5s'],
  ['2026-01-10T09:00:30Z', '2h59m'],
  ['2026-01-07T08:00:00Z', '3d4h'],
  ['2026-01-07T11:59:00Z', '3d'],
  ['2026-01-10T12:05:00Z', '0s'],
  ['never', 'never'],
]

for (const [since, expected] of TIMES) test(`${since} is ${expected} ago`, () => assert.equal(ago(since, NOW), expected))

test('columns are as wide as their widest cell; an empty cell is a dash; no line ends in blanks', () => {
  assert.equal(
    table(
      ['NAME', 'X'],
      [
        ['a', ''],
        ['longer', 'y'],
      ],
    ),
    'NAME    X\na       -\nlonger  y',
  )
  assert.equal(table(['NAME', 'X'], []), 'NAME  X')
})

test('a table of wide letters has the same columns as one of narrow ones', () => {
  assert.equal(
    table(
      ['NAME', 'X'],
      [
        ['日本', 'y'],
        ['abcd', 'z'],
      ],
    ),
    'NAME  X\n日本  y\nabcd  z',
  )
})

test('what looks like a boolean stays text in YAML', async () => {
  assert.equal(await yaml({ mode: 'off', list: ['10.1.0.0/16'] }), 'mode: "off"\nlist:\n  - 10.1.0.0/16')
})

test('sentences are broken at blanks, later lines set in; a long word stays whole', () => {
  assert.equal(wrapped('  a: one two three', '    ', 10), '  a: one\n    two\n    three')
  assert.equal(wrapped('short', '  ', 10), 'short')
  assert.equal(wrapped('/very/long/path/of/a/file is gone', '  ', 10), '/very/long/path/of/a/file\n  is gone')
})
