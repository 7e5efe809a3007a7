/** Where the values of arguments and options come from. */

/** `pod`: by name or namespace/name. */
export type Source = 'pool' | 'node' | 'pod' | 'mode' | 'shell' | 'store' | 'directory'

/** By command, its arguments in order; `free` is what only its user knows. */
const ARGUMENTS: ReadonlyMap<string, readonly (Source | 'free')[]> = new Map([
  ['ippool get', ['pool']],
  ['ippool set', ['pool']],
  ['ippool create', ['free']],
  ['ippool delete', ['pool']],
  ['node get', ['node']],
  ['node status', ['node']],
  ['node delete', ['node']],
  ['workload get', ['pod']],
  ['route get', ['pod']],
  ['completion', ['shell']],
])

/** By their long name; what commander knows the choices of is not needed here. */
export const OPTION_VALUES: ReadonlyMap<string, Source | 'free'> = new Map([
  ['--ipip', 'mode'],
  ['--vxlan', 'mode'],
  ['--node', 'node'],
  ['--datastore', 'store'],
  ['--from', 'store'],
  ['--to', 'store'],
  ['--file', 'free'],
  ['--run-dir', 'directory'],
  ['--timeout', 'free'],
  ['--cidr', 'free'],
  ['--block-size', 'free'],
  ['--ip', 'free'],
])

/** What the argument at a position of a command is; undefined where nobody can tell, or where there is none. */
export function sourceOfArgument(path: string, position: number): Source | undefined {
  const source = ARGUMENTS.get(path)?.[position]
  return source === 'free' ? undefined : source
}

/** Whether somebody has thought of all arguments of a command. */
export function knowsArguments(path: string, count: number): boolean {
  return (ARGUMENTS.get(path)?.length ?? 0) === count
}
