/** What many runs say together. */

/** The middle of the values in order; of an even number the lower of the two in the middle. */
export function median(values: readonly number[]): number {
  return percentile(values, 50)
}

/** The smallest value that so many percent of all are not above (nearest rank). */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const found = sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)]
  if (found === undefined) throw new TypeError('there are no values')
  return found
}
