/** The part of `--help` that people read first. */

/** Text for the end of a help page. */
export function examples(...lines: readonly [string, ...string[]]): string {
  return `\n${lines.length === 1 ? 'Example' : 'Examples'}:\n${lines.map(line => `  ${line}`).join('\n')}`
}
