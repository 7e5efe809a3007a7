/** Tables for people: aligned columns without lines, so that grep, awk and narrow terminals get along with them. */

import Table from 'cli-table3'

const NO_LINES = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
}

/** One line a row under a line of headings; an empty cell is a dash, so that columns can be counted. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const grid = new Table({
    chars: NO_LINES,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0, compact: true },
  })
  for (const row of [head, ...rows]) grid.push(row.map(cell => (cell === '' ? '-' : cell)))
  return grid
    .toString()
    .split('\n')
    .map(line => line.trimEnd())
    .join('\n')
}
