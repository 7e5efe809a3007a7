/** Everything on a node that an installation could leave behind, as text. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { inNamespace } from '@network/base/sys/namespace.ts'
import { flagsOf } from '../lab/agents.ts'
import { namespaceOf, type Outcome } from '../lab/command.ts'
import type { Lab } from '../lab/lab.ts'
import { program } from '../lab/paths.ts'
import { must } from './frozen.ts'

/** By what it is, each as the tool prints it. */
export type Traces = Readonly<Record<string, readonly string[]>>

export async function tracesOf(lab: Lab, node: string): Promise<Traces> {
  const lines = async (...argv: string[]) => (await must(lab, node, ...argv)).split('\n').sort()
  return {
    links: (await lines('ip', '-d', '-o', 'link')).map(withoutFirstUp),
    addresses: await lines('ip', '-4', '-o', 'address'),
    routes: await lines('ip', '-4', 'route', 'show', 'table', 'all'),
    neighbours: (await lines('ip', '-4', 'neigh', 'show', 'nud', 'permanent')).filter(line => !line.includes('NOARP')),
    firewall: await lines('nft', '-s', 'list', 'ruleset'),
    rules: await lines('ip', '-4', 'rule'),
    settings: settingsOf(node),
  }
}

/** What one has and the other has not, one line each; nothing when they are equal. */
export function difference(was: Traces, is: Traces): string[] {
  const missing = (from: Traces, other: Traces, sign: string) =>
    Object.entries(from).flatMap(([what, lines]) =>
      lines.filter(line => other[what]?.includes(line) !== true).map(line => `${sign} ${what}: ${line}`),
    )
  return [...missing(was, is, '-'), ...missing(is, was, '+')]
}

/** Runs `cali-agent uninstall` on the node as its operator would. */
export function uninstallOn(lab: Lab, node: string, more: readonly string[] = [], timeoutMs = 30_000): Promise<Outcome> {
  return lab.exec(node, [...program('agent'), 'uninstall', ...flagsOf(lab.node(node)), ...more], { timeoutMs })
}

/** The kernel gives a device a queue and a way to make IPv6 addresses when it is first set up, and leaves it both for good. */
function withoutFirstUp(line: string): string {
  return line.replace(/ qdisc \S+/, '').replace(/ addrgenmode \S+/, '')
}

/** All of IPv4's that are an interface's, and forwarding. */
function settingsOf(node: string): string[] {
  return inNamespace(namespaceOf(node), () =>
    ['net/ipv4/conf', 'net/ipv4/neigh', 'net/ipv4/ip_forward'].flatMap(path => valuesBelow(`/proc/sys/${path}`)),
  )
}

function valuesBelow(path: string): string[] {
  const kind = statSync(path)
  if (kind.isDirectory()) return readdirSync(path).flatMap(name => valuesBelow(`${path}/${name}`))
  return (kind.mode & 0o400) === 0 ? [] : [`${path}=${readFileSync(path, 'utf8').trim()}`]
}
