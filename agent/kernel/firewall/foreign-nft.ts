/** Other people's chains as nft lists them: nftables' own, and those that iptables-nft keeps there. */

import { isDeepStrictEqual } from 'node:util'
import { isRecord } from '@network/model/resources/kind.ts'
import {
  concernsPods,
  type ForeignChain,
  type ForeignRule,
  type Hook,
  type Interfaces,
  jumpsOf,
  type Mending,
  type Scope,
  type Verdict,
} from './foreign.ts'
import { ofKind } from './found.ts'
import type { Json, Nft, Objects } from './nft.ts'
import { ACCEPT_MARKED, TABLE_NAME } from './ruleset.ts'

/** Marks our rules in chains that are not ours. */
export const OUR_COMMENT = 'cali'

/** Where a chain is. */
export interface Place {
  readonly family: string
  readonly table: string
  readonly chain: string
}

export interface NftChain extends ForeignChain {
  readonly place: Place
}

const FAMILIES = ['ip', 'inet']

/** All chains, as their headings; undefined when nft does not answer. */
export async function nftHeadings(nft: Nft): Promise<readonly Json[] | undefined> {
  const listed = await nft.list(['chains'])
  return listed.is === 'done' ? ofKind(listed.value, 'chain') : undefined
}

/** Whether anybody else may translate sources: a chain for it that has rules. */
export async function nftTranslates(nft: Nft, headings: readonly Json[]): Promise<boolean> {
  for (const heading of headings) {
    const place = placeOf(heading)
    if (place === undefined || heading['type'] !== 'nat' || heading['hook'] !== 'postrouting') continue
    if ((await rulesIn(nft, place, [])).length > 0) return true
  }
  return false
}

/** The base chains of others on the hooks that pods' packets pass, with all that they jump to. */
export async function nftChains(nft: Nft, headings: readonly Json[], interfaces: Interfaces): Promise<readonly NftChain[]> {
  const found: NftChain[] = []
  for (const chain of headings) {
    const base = baseOf(chain)
    if (base === undefined) continue
    const read = (chain: string) => rulesIn(nft, { ...base.place, chain }, interfaces)
    const rules = await read(base.place.chain)
    const others = await followed(rules, read)
    found.push({ ...base, name: nameOf(base.place), rules, others })
  }
  return found
}

/** Puts in and takes out in one transaction: at no moment is there none where one is wanted. */
export function mendingCommands({ place, rules }: NftChain, { insert, remove }: Mending): Objects {
  const at = { family: place.family, table: place.table, chain: place.chain }
  const handles = rules.flatMap(({ handle }) => (remove.includes(handle) ? [Number(handle)] : []))
  return [
    ...(insert ? [{ insert: { rule: { ...at, comment: OUR_COMMENT, expr: ACCEPT_MARKED } } }] : []),
    ...handles.map(handle => ({ delete: { rule: { ...at, handle } } })),
  ]
}

interface Base {
  readonly place: Place
  readonly hook: Hook
  readonly policy: ForeignChain['policy']
}

function placeOf({ family, table, name }: Json): Place | undefined {
  if (typeof family !== 'string' || typeof table !== 'string' || typeof name !== 'string') return undefined
  return !FAMILIES.includes(family) || (family === 'inet' && table === TABLE_NAME) ? undefined : { family, table, chain: name }
}

function baseOf(heading: Json): Base | undefined {
  const place = placeOf(heading)
  const { type, hook, policy } = heading
  if (place === undefined || type !== 'filter' || (hook !== 'input' && hook !== 'forward')) return undefined
  return { place, hook, policy: policy === 'drop' ? 'drop' : 'accept' }
}

/** Chains that rules lead to, to any depth; a chain that is gone in between has no rules. */
async function followed(
  rules: readonly ForeignRule[],
  read: (chain: string) => Promise<readonly ForeignRule[]>,
): Promise<ReadonlyMap<string, readonly ForeignRule[]>> {
  const found = new Map<string, readonly ForeignRule[]>()
  const next = jumpsOf(rules)
  for (let chain = next.pop(); chain !== undefined; chain = next.pop()) {
    if (found.has(chain)) continue
    const there = await read(chain)
    found.set(chain, there)
    next.push(...jumpsOf(there))
  }
  return found
}

async function rulesIn(nft: Nft, { family, table, chain }: Place, interfaces: Interfaces): Promise<ForeignRule[]> {
  const listed = await nft.list(['chain', family, table, chain])
  return listed.is === 'done' ? ofKind(listed.value, 'rule').map(rule => ruleOf(rule, interfaces)) : []
}

function nameOf({ family, table, chain }: Place): string {
  return `${family} ${table} ${chain}`
}

/** Reads one rule; a match that we cannot read makes it narrow. */
export function ruleOf({ handle, comment, expr }: Json, interfaces: Interfaces): ForeignRule {
  const statements = Array.isArray(expr) ? expr.filter(isRecord) : []
  return {
    scope: scopeOf(statements, interfaces),
    verdict: verdictOf(statements),
    ours: comment !== OUR_COMMENT ? 'no' : isDeepStrictEqual(statements.map(withoutCount), ACCEPT_MARKED) ? 'right' : 'wrong',
    handle: String(handle),
  }
}

function withoutCount(statement: Json): Json {
  return Object.hasOwn(statement, 'counter') ? { counter: null } : statement
}

function verdictOf(statements: readonly Json[]): Verdict {
  for (const statement of statements) {
    if ('accept' in statement) return { is: 'accept' }
    if ('drop' in statement || 'reject' in statement || isRejectOfIptables(statement)) return { is: 'stop' }
    if ('return' in statement) return { is: 'return' }
    for (const [word, stays] of [
      ['jump', false],
      ['goto', true],
    ] as const) {
      const target = statement[word]
      if (isRecord(target)) return { is: 'jump', to: String(target['target']), stays }
    }
  }
  return { is: 'none' }
}

/** What iptables adds to nftables is told by its name alone: of a match that is too little, so such a rule counts as narrow. */
function isTargetOfIptables({ xt }: Json): boolean {
  return isRecord(xt) && xt['type'] === 'target'
}

function isRejectOfIptables(statement: Json): boolean {
  return isTargetOfIptables(statement) && isRecord(statement['xt']) && statement['xt']['name'] === 'REJECT'
}

const HARMLESS = new Set(['counter', 'log', 'accept', 'drop', 'reject', 'return', 'jump', 'goto'])

function scopeOf(statements: readonly Json[], interfaces: Interfaces): Scope {
  const scopes = statements.map(statement => scopeOfStatement(statement, interfaces))
  if (scopes.includes('narrow')) return 'narrow'
  return scopes.includes('broad') ? 'broad' : 'every'
}

function scopeOfStatement(statement: Json, interfaces: Interfaces): Scope {
  if (isTargetOfIptables(statement) || Object.keys(statement).every(key => HARMLESS.has(key))) return 'every'
  const { match } = statement
  return isRecord(match) ? scopeOfMatch(match, interfaces) : 'narrow'
}

function scopeOfMatch({ left, right, op }: Json, interfaces: Interfaces): Scope {
  if (!isRecord(left)) return 'narrow'
  const meta = isRecord(left['meta']) ? left['meta']['key'] : undefined
  const tracked = isRecord(left['ct']) ? left['ct']['key'] : undefined
  if (meta === 'nfproto') return 'every'
  if (meta === 'iifname' || meta === 'oifname' || meta === 'iif' || meta === 'oif')
    return op === '!=' || namesIn(right).some(name => concernsPods(name, interfaces)) ? 'broad' : 'narrow'
  if (tracked === 'state') return (op === '!=') === listsNew(right) ? 'narrow' : 'broad'
  return 'narrow'
}

function namesIn(right: unknown): string[] {
  if (isRecord(right)) return namesIn(right['set'])
  if (Array.isArray(right)) return right.flatMap(namesIn)
  return typeof right === 'string' ? [right] : []
}

/** Of connection states, by name or by bit: whether those that begin a connection are among them. */
function listsNew(right: unknown): boolean {
  if (isRecord(right)) return listsNew(right['set'] ?? right['|'])
  if (Array.isArray(right)) return right.some(listsNew)
  return right === 'new' || right === NEW_BIT
}
const NEW_BIT = 8
