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
  const lines = [head, ...rows].map(row => row.map(cell => (cell === '' ? '-' : cell)))
  return lines.every(row => row.every(isPlain)) ? plainTable(lines) : wideTable(lines)
}

/** As wide as it has letters, and on one line. */
function isPlain(cell: string): boolean {
  return /^[ -~]*$/.test(cell)
}

/** What the library makes of such cells, in a tenth of the time: short commands are felt. */
function plainTable(lines: readonly (readonly string[])[]): string {
  const widths = (lines[0] ?? []).map((_, at) => Math.max(...lines.map(row => (row[at] ?? '').length)))
  return lines
    .map(row =>
      row
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

function wideTable(lines: readonly (readonly string[])[]): string {
  const grid = new Table({
    chars: NO_LINES,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0, compact: true },
  })
  for (const row of lines) grid.push([...row])
  return grid
    .toString()
    .split('\n')
    .map(line => line.trimEnd())
    .join('\n')
}
