/** The other tables of the kernel: those of iptables before nftables, which nft does not show. */

import { readFileSync } from 'node:fs'
import {
  concernsPods,
  type ForeignChain,
  type ForeignRule,
  type Hook,
  type Interfaces,
  type Mending,
  type Scope,
  type Verdict,
} from './foreign.ts'
import { OUR_COMMENT } from './foreign-nft.ts'
import { type Answer, run } from './nft.ts'
import { ACCEPT_MARK } from './ruleset.ts'

export interface Legacy {
  /** Whether its table exists in this namespace; asking a command would make it. */
  readonly inUse: (table: 'filter' | 'nat') => boolean
  iptables(argv: readonly string[]): Promise<Answer<string>>
}

export const systemLegacy: Legacy = {
  inUse(table) {
    try {
      return readFileSync('/proc/self/net/ip_tables_names', 'utf8').split('\n').includes(table)
    } catch {
      // No such kind of tables in this kernel.
      return false
    }
  },
  async iptables(argv) {
    const named = await run('iptables-legacy', ['-w', '5', ...argv])
    if (named.is !== 'missing') return named
    // Some systems have this kind alone, under the plain name.
    const version = await run('iptables', ['--version'])
    if (version.is !== 'done') return version
    return version.value.includes('nf_tables') ? { is: 'missing' } : run('iptables', ['-w', '5', ...argv])
  },
}

const HOOKS: Readonly<Record<string, Hook>> = { INPUT: 'input', FORWARD: 'forward' }
const MARK = `0x${ACCEPT_MARK.toString(16)}/0x${ACCEPT_MARK.toString(16)}`
const ACCEPT_MARKED = ['-m', 'mark', '--mark', MARK, '-m', 'comment', '--comment', OUR_COMMENT, '-j', 'ACCEPT']

/** The commands for a chain, in order: in before out. */
export function legacyCommands(chain: ForeignChain, { insert, remove }: Mending): string[][] {
  return [
    ...(insert ? [['-I', chain.name, '1', ...ACCEPT_MARKED]] : []),
    ...remove.map(handle => ['-D', chain.name, ...handle.split(' ')]),
  ]
}

/** Reads what `iptables -S` prints. */
export function legacyChains(text: string, interfaces: Interfaces): ForeignChain[] {
  const lines = text.split('\n').map(line => line.trim())
  const rules = new Map<string, ForeignRule[]>()
  for (const line of lines) {
    const [, chain, rest] = /^-A (\S+) ?(.*)$/.exec(line) ?? []
    if (chain === undefined || rest === undefined) continue
    rules.set(chain, [...(rules.get(chain) ?? []), ruleOf(rest, interfaces)])
  }
  return lines.flatMap(line => {
    const [, name, policy] = /^-P (\S+) (\S+)$/.exec(line) ?? []
    const hook = name === undefined ? undefined : HOOKS[name]
    if (name === undefined || hook === undefined) return []
    return [{ name, hook, policy: policy === 'DROP' ? 'drop' : 'accept', rules: rules.get(name) ?? [], others: rules } as const]
  })
}

/** What takes our rules out again. */
export function legacyRemoval(text: string): string[][] {
  return legacyChains(text, []).flatMap(chain =>
    legacyCommands(chain, { insert: false, remove: chain.rules.filter(({ ours }) => ours !== 'no').map(({ handle }) => handle) }),
  )
}

function ruleOf(text: string, interfaces: Interfaces): ForeignRule {
  const [, matches = '', word = '', target = ''] = /^(.*?) ?(?:(-j|-g) (\S+).*)?$/.exec(text) ?? []
  const ours = /--comment (?:cali|"cali")(?: |$)/.test(matches)
  const right = matches.includes(`--mark ${MARK}`) && target === 'ACCEPT'
  return {
    scope: scopeOf(matches, interfaces),
    verdict: verdictOf(word, target),
    ours: ours ? (right ? 'right' : 'wrong') : 'no',
    handle: text.replaceAll('"', ''),
  }
}

function verdictOf(word: string, target: string): Verdict {
  switch (target) {
    case 'ACCEPT':
      return { is: 'accept' }
    case 'DROP':
    case 'REJECT':
      return { is: 'stop' }
    case 'RETURN':
      return { is: 'return' }
    case '':
    case 'LOG':
    case 'NFLOG':
      return { is: 'none' }
    default:
      return { is: 'jump', to: target, stays: word === '-g' }
  }
}

const COMMENT = /-m comment --comment (?:"[^"]*"|\S+)/g
const INTERFACE = /(! )?-[io] (\S+)/g
const BEGINNINGS = /-m (?:conntrack --ct|state --)state \S*NEW\S*/g

function scopeOf(matches: string, interfaces: Interfaces): Scope {
  const bare = matches.replace(COMMENT, '').trim()
  if (bare === '') return 'every'
  const rest = bare.replace(INTERFACE, '').replace(BEGINNINGS, '').trim()
  const ofOthers = [...bare.matchAll(INTERFACE)].some(
    ([, not, name]) => not === undefined && !concernsPods(name ?? '', interfaces),
  )
  return rest === '' && !ofOthers ? 'broad' : 'narrow'
}
