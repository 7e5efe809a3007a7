/** Where the values of arguments and options come from. */

import type { Command } from 'commander'

/** `pod`: by name or namespace/name. */
export type Source =
  | 'pool'
  | 'node'
  | 'pod'
  | 'mode'
  | 'shell'
  | 'store'
  | 'format'
  | 'kind'
  | 'field'
  | 'name'
  | 'boolean'
  | NounSource
  | 'directory'

/** Names of resources of one kind. */
export type NounSource = 'bgppeer' | 'bgpfilter' | 'bgpconfiguration' | 'agentconfiguration'

/** By command, its arguments in order; `free` is what only its user knows. */
const ARGUMENTS: ReadonlyMap<string, readonly (Source | 'free')[]> = new Map([
  ['ippool get', ['pool']],
  ['ippool create', ['free']],
  ['ippool delete', ['pool']],
  ['node get', ['node']],
  ['node status', ['node']],
  ['node delete', ['node']],
  ['workload get', ['pod']],
  ['route get', ['pod']],
  ['completion', ['shell']],
  ['ippool set', ['pool']],
  ['node set', ['node']],
  ['bgp peers', ['node']],
  ['bgp routes', ['free']],
  ['bgp why', ['free']],
  ['bgp peer get', ['bgppeer']],
  ['bgp peer create', ['free', 'free']],
  ['bgp peer set', ['bgppeer']],
  ['bgp peer delete', ['bgppeer']],
  ['bgp filter get', ['bgpfilter']],
  ['bgp filter create', ['free', 'free']],
  ['bgp filter set', ['bgpfilter']],
  ['bgp filter delete', ['bgpfilter']],
  ['bgp config get', ['bgpconfiguration']],
  ['bgp config set', ['bgpconfiguration']],
  ['bgp config delete', ['bgpconfiguration']],
  ['config get', ['agentconfiguration']],
  ['config create', ['free', 'free']],
  ['config set', ['agentconfiguration']],
  ['config delete', ['agentconfiguration']],
  ['events', ['node']],
  ['ipam reserve', ['free']],
  ['ipam split', ['pool']],
  ['get', ['kind', 'name']],
  ['patch', ['kind', 'name']],
  ['label', ['kind', 'name']],
  ['delete', ['kind', 'name']],
  ['explain', ['field']],
])

/** By their long name; what commander knows the choices of is not needed here. */
export const OPTION_VALUES: ReadonlyMap<string, Source | 'free'> = new Map([
  ['--output', 'format'],
  ['--ipip', 'mode'],
  ['--vxlan', 'mode'],
  ['--node', 'node'],
  ['--datastore', 'store'],
  ['--from', 'store'],
  ['--to', 'store'],
  ['--file', 'free'],
  ['--filename', 'free'],
  ['--patch', 'free'],
  ['--type', 'free'],
  ['--selector', 'free'],
  ['--namespace', 'free'],
  ['--into', 'free'],
  ['--name', 'free'],
  ['--strict-affinity', 'boolean'],
  ['--strictaffinity', 'boolean'],
  ['--auto-allocate-blocks', 'boolean'],
  ['--max-blocks-per-host', 'free'],
  ['--ip-cooldown-seconds', 'free'],
  ['--vxlan', 'mode'],
  ['--nat', 'boolean'],
  ['--disabled', 'boolean'],
  ['--run-dir', 'directory'],
  ['--timeout', 'free'],
  ['--cidr', 'free'],
  ['--block-size', 'free'],
  ['--ip', 'free'],
])

/** What the argument at a position of a command is; undefined where nobody can tell, or where there is none. */
export function sourceOfArgument(command: Command, position: number): Source | undefined {
  const sources = ARGUMENTS.get(pathOf(command)) ?? []
  const isEndless = command.registeredArguments.at(-1)?.variadic === true
  const source = sources[isEndless ? Math.min(position, sources.length - 1) : position]
  return source === 'free' ? undefined : source
}

/** Whether somebody has thought of all arguments of a command. */
export function knowsArguments(path: string, count: number): boolean {
  return (ARGUMENTS.get(path)?.length ?? 0) === count
}

/** `ippool get`: the names from the program, left out, down to the command. */
export function pathOf(command: Command): string {
  return command.parent === null ? '' : `${pathOf(command.parent)} ${command.name()}`.trim()
}
