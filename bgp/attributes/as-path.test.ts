/** AS_PATH arithmetic. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { mentions, mergeAs4, neighbourAs, pathLength, prepend } from './as-path.ts'
import type { AsPath, AsSegment } from './attributes.ts'

const sequence = (...asns: number[]): AsSegment => ({ kind: 'sequence', asns })
const set = (...asns: number[]): AsSegment => ({ kind: 'set', asns })
const confed = (...asns: number[]): AsSegment => ({ kind: 'confed-sequence', asns })

describe('AS_PATH', () => {
  const measured: readonly { path: AsPath; length: number; neighbour: number | undefined }[] = [
    { path: [], length: 0, neighbour: undefined },
    { path: [sequence(1, 2, 3)], length: 3, neighbour: 1 },
    { path: [sequence(1), set(2, 3, 4)], length: 2, neighbour: 1 },
    { path: [confed(9, 8), sequence(1)], length: 1, neighbour: 1 },
    { path: [set(5, 6)], length: 1, neighbour: undefined },
  ]
  for (const { path, length, neighbour } of measured)
    test(`${JSON.stringify(path)} is ${length} long, from ${neighbour}`, () => {
      assert.equal(pathLength(path), length)
      assert.equal(neighbourAs(path), neighbour)
    })

  test('an AS is found in every kind of segment', () => {
    for (const path of [[sequence(1, 7)], [set(7)], [confed(7)]]) assert.ok(mentions(path, 7))
    assert.ok(!mentions([sequence(1)], 7))
  })

  test('prepending opens a segment where the first is full or a set', () => {
    assert.deepEqual(prepend([], 7), [sequence(7)])
    assert.deepEqual(prepend([sequence(1)], 7), [sequence(7, 1)])
    assert.deepEqual(prepend([set(1)], 7), [sequence(7), set(1)])
    const full = sequence(...Array.from({ length: 255 }, (_, index) => index + 1))
    assert.deepEqual(prepend([full], 7), [sequence(7), full])
  })

  const merges: readonly { name: string; path: AsPath; as4: AsPath; merged: AsPath }[] = [
    { name: 'equal length', path: [sequence(23456, 2)], as4: [sequence(70000, 2)], merged: [sequence(70000, 2)] },
    { name: 'the old speakers in front', path: [sequence(1, 2, 23456)], as4: [sequence(70000)], merged: [sequence(1, 2, 70000)] },
    { name: 'AS4_PATH longer: ignored', path: [sequence(23456)], as4: [sequence(70000, 70001)], merged: [sequence(23456)] },
    { name: 'a set in front', path: [set(1, 2), sequence(23456)], as4: [sequence(70000)], merged: [set(1, 2), sequence(70000)] },
    {
      name: 'confederation is not counted',
      path: [confed(9), sequence(23456)],
      as4: [confed(8), sequence(70000)],
      merged: [confed(9), sequence(70000)],
    },
  ]
  for (const { name, path, as4, merged } of merges) test(`merge: ${name}`, () => assert.deepEqual(mergeAs4(path, as4), merged))
})
