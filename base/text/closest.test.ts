/** Slips of the finger, and what is none. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { closest, didYouMean } from './closest.ts'

const KNOWN = ['default', 'edge', 'node-2', 'node-10', 'rack-a-1']

const CASES: readonly (readonly [typed: string, meant: string | undefined])[] = [
  ['defualt', 'default'],
  ['deflt', undefined],
  ['defalt', 'default'],
  ['DEFAULT', 'default'],
  ['egde', 'edge'],
  ['nod-2', 'node-2'],
  ['node-3', undefined],
  ['rack-b-1', 'rack-a-1'],
  ['gold', undefined],
  ['', undefined],
]

for (const [typed, meant] of CASES)
  test(`"${typed}" is ${meant === undefined ? 'nothing known' : meant}`, () => assert.equal(closest(typed, KNOWN), meant))

test('the nearest wins', () => assert.equal(closest('defaults', ['defaced', 'default']), 'default'))

test('as the start of a sentence', () => {
  assert.equal(didYouMean('defualt', KNOWN), 'did you mean default? ')
  assert.equal(didYouMean('gold', KNOWN), '')
})
