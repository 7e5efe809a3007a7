/** What somebody probably meant who mistyped a name. */

/** `did you mean default? ` for the start of a mend; empty when nothing known is near. */
export function didYouMean(typed: string, known: readonly string[]): string {
  const near = closest(typed, known)
  return near === undefined ? '' : `did you mean ${near}? `
}

/** The known name nearest to what was typed; undefined when none is near enough. */
export function closest(typed: string, known: readonly string[]): string | undefined {
  const [best] = known
    .filter(name => !differOnlyInNumbers(typed, name))
    .map(name => ({ name, distance: distanceOf(typed.toLowerCase(), name.toLowerCase()) }))
    .filter(({ distance }) => distance <= typed.length / 3)
    .toSorted((a, b) => a.distance - b.distance)
  return best?.name
}

/** `node-3` is no slip of the finger for `node-2`: it is another node. */
function differOnlyInNumbers(a: string, b: string): boolean {
  const shape = (name: string) => name.replace(/\d+/g, '#')
  return a !== b && shape(a) === shape(b)
}

/** Letters to insert, drop, replace or swap with their neighbour (Damerau, restricted). */
function distanceOf(a: string, b: string): number {
  let beforeLast: readonly number[] = []
  let last: readonly number[] = Array.from({ length: b.length + 1 }, (_, at) => at)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      row.push(
        Math.min(
          costAt(last, j) + 1,
          costAt(row, j - 1) + 1,
          costAt(last, j - 1) + (same ? 0 : 1),
          swapped ? costAt(beforeLast, j - 2) + 1 : Number.POSITIVE_INFINITY,
        ),
      )
    }
    beforeLast = last
    last = row
  }
  return costAt(last, b.length)
}

function costAt(row: readonly number[], at: number): number {
  return row[at] ?? Number.POSITIVE_INFINITY
}
