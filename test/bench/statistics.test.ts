import assert from 'node:assert/strict'
import { test } from 'node:test'
import { median, percentile } from './statistics.ts'

for (const { values, percent, is } of [
  { values: [3, 1, 2], percent: 50, is: 2 },
  { values: [4, 1, 3, 2], percent: 50, is: 2 },
  { values: [7], percent: 99, is: 7 },
  { values: Array.from({ length: 50 }, (_, at) => 50 - at), percent: 99, is: 50 },
  { values: Array.from({ length: 200 }, (_, at) => at + 1), percent: 99, is: 198 },
  { values: [10, 2], percent: 0, is: 2 },
])
  test(`${percent} % of ${values.length} values`, () => assert.equal(percentile(values, percent), is))

test('numbers are ordered as numbers, and nothing has no middle', () => {
  assert.equal(median([10, 9, 100]), 10)
  assert.throws(() => median([]), /no values/)
})
