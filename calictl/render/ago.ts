/** Times as people want them in a table: how long ago. */

const UNITS = [
  ['d', 86_400],
  ['h', 3600],
  ['m', 60],
  ['s', 1],
] as const

/** `3d4h`, `2m5s`, `0s` from an RFC 3339 text; the text itself when it is no time. A clock ahead of ours counts as now. */
export function ago(since: string, now: Date): string {
  const elapsed = Math.floor((now.getTime() - Date.parse(since)) / 1000)
  if (Number.isNaN(elapsed)) return since
  let left = Math.max(0, elapsed)
  const first = UNITS.findIndex(([, size]) => left >= size)
  if (first < 0) return '0s'
  return UNITS.slice(first, first + 2)
    .map(([name, size]) => {
      const count = Math.floor(left / size)
      left -= count * size
      return count === 0 ? '' : `${count}${name}`
    })
    .join('')
}
