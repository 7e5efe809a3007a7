/** Chains of other people's packet filters, and whether they would stop pods: an accept in our own table does not outvote them. Pure. */

/** The NIC that other nodes are reached by, and the tunnel devices: what rules say of these concerns pods. */
export type Interfaces = readonly string[]

/** Which packets a rule is about. */
export type Scope =
  /** All. */
  | 'every'
  /** All of an interface, or all that begins a connection: what is meant for strangers and hits pods. */
  | 'broad'
  /** Certain addresses, ports, marks: somebody meant exactly these. */
  | 'narrow'

export type Verdict =
  | { readonly is: 'accept' | 'stop' | 'return' | 'none' }
  /** `stays`: it does not come back from there (goto). */
  | { readonly is: 'jump'; readonly to: string; readonly stays: boolean }

export interface ForeignRule {
  readonly scope: Scope
  readonly verdict: Verdict
  /** Carries our comment; `right` when it is besides as we write it. */
  readonly ours: 'no' | 'right' | 'wrong'
  /** How the rule is named to delete it. */
  readonly handle: string
}

export type Hook = 'input' | 'forward'

/** A chain that the kernel calls on one of the hooks that pods' packets pass. */
export interface ForeignChain {
  /** `ip filter FORWARD` */
  readonly name: string
  readonly hook: Hook
  /** What happens to packets that no rule decides on. */
  readonly policy: 'accept' | 'drop'
  readonly rules: readonly ForeignRule[]
  /** The chains that its rules jump to, by name. */
  readonly others: ReadonlyMap<string, readonly ForeignRule[]>
}

/** What must be done to a chain; undefined where it is as it should be. */
export interface Mending {
  readonly insert: boolean
  /** Handles. */
  readonly remove: readonly string[]
}

const DEEPEST_JUMP = 16

/** A chain that would stop pods wants one accept rule of ours before that; any other wants none. */
export function mendingOf(chain: ForeignChain): Mending | undefined {
  const ours = chain.rules.filter(rule => rule.ours !== 'no')
  const stop = stopAt(chain)
  const good = stop === undefined ? undefined : chain.rules.slice(0, stop).find(rule => rule.ours === 'right')
  const remove = ours.filter(rule => rule !== good).map(({ handle }) => handle)
  const insert = stop !== undefined && good === undefined
  return insert || remove.length > 0 ? { insert, remove } : undefined
}

/** Where packets of pods are stopped for no reason of their own: a rule, or the policy behind the last one. */
export function stopAt(chain: ForeignChain): number | undefined {
  for (const [at, rule] of chain.rules.entries()) {
    if (rule.ours !== 'no') continue
    const fate = fateAt(rule, chain.others, 0)
    if (fate === 'stop') return at
    if (fate === 'accept') return undefined
    if (fate === 'return') break
  }
  return chain.policy === 'drop' ? chain.rules.length : undefined
}

type Fate = 'accept' | 'stop' | 'return' | 'goes-on'

/** What becomes of packets in general at a rule; what only some packets meet counts when it stops them. */
function fateAt({ scope, verdict }: ForeignRule, others: ForeignChain['others'], depth: number): Fate {
  if (scope === 'narrow' || verdict.is === 'none') return 'goes-on'
  if (verdict.is === 'stop') return 'stop'
  if (verdict.is !== 'jump') return scope === 'every' ? verdict.is : 'goes-on'
  if (depth >= DEEPEST_JUMP) return 'goes-on'
  const there = fateIn(others.get(verdict.to) ?? [], others, depth + 1)
  if (there === 'stop') return 'stop'
  if (scope !== 'every') return 'goes-on'
  if (there === 'accept') return 'accept'
  return verdict.stays ? 'return' : 'goes-on'
}

function fateIn(rules: readonly ForeignRule[], others: ForeignChain['others'], depth: number): Fate {
  for (const rule of rules) {
    const fate = fateAt(rule, others, depth)
    if (fate !== 'goes-on') return fate
  }
  return 'goes-on'
}

/** Names of the chains that the rules jump to, each once. */
export function jumpsOf(rules: readonly ForeignRule[]): string[] {
  return [...new Set(rules.flatMap(({ scope, verdict }) => (verdict.is === 'jump' && scope !== 'narrow' ? [verdict.to] : [])))]
}

/** Whether a rule that names an interface, `eth*` and `eth+` for many, is about one that pods' packets pass. */
export function concernsPods(pattern: string, interfaces: Interfaces): boolean {
  const stem = /[*+]$/.test(pattern) ? pattern.slice(0, -1) : undefined
  const meets = (name: string) => (stem === undefined ? name === pattern : name.startsWith(stem))
  return pattern.startsWith('cali') || [...interfaces, 'cali'].some(meets)
}
