/** What a command would do to the resources that are there: a pure function of a snapshot. */

import { isDeepStrictEqual } from 'node:util'
import type { Entry } from '@network/datastore/port.ts'
import { carryOver } from '@network/model/resources/carry.ts'
import type { Document, Kind, Problem } from '@network/model/resources/kind.ts'
import { KINDS } from '@network/model/resources/kinds.ts'
import { checkChange } from '@network/model/rules/check.ts'

export type Verb = 'apply' | 'create' | 'replace' | 'patch' | 'label' | 'delete'

/** What somebody wants of one resource. */
export interface Wish {
  readonly kind: Kind<unknown>
  readonly key: string
  /** As its kind read it; undefined: that it goes. With a resourceVersion: only if it is still that one. */
  readonly document: Document | undefined
  /** Where the wish stands: `pools.yaml:7`; empty for what was typed. */
  readonly from: string
  readonly tell: (problem: Problem) => string
}

export type Does = 'create' | 'change' | 'delete' | 'nothing'
/** Why it cannot be: `absent` is not there, the others stand in the way. */
export type Hindrance = 'absent' | 'refused'

export interface Step {
  readonly wish: Wish
  readonly before: Entry | undefined
  /** As it is to be stored. */
  readonly after: Document | undefined
  readonly does: Does
  readonly problems: readonly Problem[]
  readonly hindrance: Hindrance
}

export interface PlanOptions {
  /** RFC 3339: what is created is created then. */
  readonly now: string
  /** What is there already is left alone by create; what is not there, by delete. */
  readonly lenient?: boolean
}

type Entries = ReadonlyMap<string, Entry>

/** Steps in the order in which they are to be done: what others name comes first, and goes last. Later steps see what earlier ones did. */
export function planOf(verb: Verb, wishes: readonly Wish[], entries: Entries, options: PlanOptions): readonly Step[] {
  const sorted = wishes.toSorted((a, b) => orderOf(a) - orderOf(b))
  const documents = new Map<string, unknown>([...entries].map(([key, { document }]) => [key, document]))
  const seen = new Map<string, Wish>()
  return (verb === 'delete' ? sorted.reverse() : sorted).map(wish => {
    const step = stepOf(verb, wish, { before: entries.get(wish.key), documents, twin: seen.get(wish.key), options })
    seen.set(wish.key, wish)
    if (step.problems.length > 0) return step
    if (step.does === 'delete') documents.delete(wish.key)
    else if (step.after !== undefined) documents.set(wish.key, step.after)
    return step
  })
}

function orderOf({ kind }: Wish): number {
  return KINDS.indexOf(kind)
}

interface Scene {
  readonly before: Entry | undefined
  readonly documents: ReadonlyMap<string, unknown>
  /** A wish before this one of the same resource. */
  readonly twin: Wish | undefined
  readonly options: PlanOptions
}

function stepOf(verb: Verb, wish: Wish, scene: Scene): Step {
  const { before, documents, options } = scene
  const step = { wish, before, hindrance: 'refused' as const, problems: [] }
  const wrong = obstacle(verb, wish, scene)
  if (wrong !== undefined) return { ...step, after: undefined, does: 'nothing', ...wrong }
  if (isLeftAlone(verb, before, options)) return { ...step, after: undefined, does: 'nothing' }
  const document = wish.document === undefined ? undefined : withoutVersion(wish.document)
  const problems = checkChange(documents, { key: wish.key, document })
  if (document === undefined) return { ...step, after: undefined, does: 'delete', problems }
  const after = before === undefined ? born(document, options.now) : joined(verb, wish.kind, before.document, document)
  const does = before === undefined ? 'create' : isDeepStrictEqual(before.document, after) ? 'nothing' : 'change'
  return { ...step, after, does, problems }
}

function isLeftAlone(verb: Verb, before: Entry | undefined, { lenient }: PlanOptions): boolean {
  if (lenient !== true) return false
  return verb === 'create' ? before !== undefined : verb === 'delete' && before === undefined
}

/** What stands in the way before any rule is asked. */
function obstacle(verb: Verb, wish: Wish, { before, twin, options }: Scene): Pick<Step, 'problems' | 'hindrance'> | undefined {
  const refuse = (says: string, at = '', hindrance: Hindrance = 'refused') => ({ problems: [{ at, says }], hindrance })
  const { kind, document } = wish
  if (kind.writtenBy === 'agents')
    return refuse(`agents write ${kind.plural}, people look at them: ${MEND_OF.get(kind.kind) ?? 'leave it as it is'}`)
  if (twin !== undefined)
    return refuse(`is there twice${twin.from === '' ? '' : `: also at ${twin.from}`}; leave one out`, 'metadata.name')
  if (before === undefined && verb !== 'create' && verb !== 'apply' && options.lenient !== true)
    return refuse(`there is no such ${kind.kind}${verb === 'delete' ? '' : '; create or apply makes it'}`, '', 'absent')
  if (before !== undefined && verb === 'create' && options.lenient !== true)
    return refuse(`there is such ${article(kind)} already: apply or replace changes it`)
  const version = document?.metadata.resourceVersion
  if (version !== undefined && before !== undefined && version !== before.revision)
    return refuse(
      `is ${version}, and the resource is ${before.revision} by now: somebody changed it since; get it again, and change that`,
      'metadata.resourceVersion',
    )
  return undefined
}

const MEND_OF: ReadonlyMap<string, string> = new Map([
  ['WorkloadEndpoint', 'it comes and goes with its pod'],
  ['BlockAffinity', 'it goes with its node, and with its last address; see calictl ipam'],
  ['IPAMBlock', 'calictl ipam release frees addresses of it'],
])

function article({ kind }: Kind<unknown>): string {
  return `${/^[AEIOU]/.test(kind) ? 'an' : 'a'} ${kind}`
}

function withoutVersion(document: Document): Document {
  const { resourceVersion: _, ...metadata } = document.metadata
  return { ...document, metadata }
}

function born(document: Document, now: string): Document {
  return { ...document, metadata: { ...document.metadata, creationTimestamp: document.metadata.creationTimestamp ?? now } }
}

/** What the former document had and the wish does not speak of is kept; apply keeps labels too, the others put them as they are wished. */
function joined(verb: Verb, kind: Kind<unknown>, former: unknown, wish: Document): Document {
  const kept = carryOver(kind, former, verb === 'apply' || verb === 'replace' ? withAgents(kind, former, wish) : wish)
  if (verb === 'apply') return kept
  const { labels: _, annotations: __, ...rest } = kept.metadata
  const { labels, annotations } = wish.metadata
  return {
    ...kept,
    metadata: { ...rest, ...(labels === undefined ? {} : { labels }), ...(annotations === undefined ? {} : { annotations }) },
  }
}

/** Of a node, what its agent found out stays where a file does not speak of it: without, packets would be lost until it is found out again. */
function withAgents(kind: Kind<unknown>, former: unknown, wish: Document): Document {
  if (kind.kind !== 'Node') return wish
  const was = kind.parseStored(former)
  if (!was.ok) return wish
  const { bgp: before, vxlanTunnelMACAddr } = was.document.spec
  const found = tunnelOf(before)
  return {
    ...wish,
    spec: {
      ...(vxlanTunnelMACAddr === undefined ? {} : { vxlanTunnelMACAddr }),
      ...wish.spec,
      bgp: { ...found, ...(typeof wish.spec['bgp'] === 'object' ? wish.spec['bgp'] : {}) },
    },
  }
}

function tunnelOf(bgp: unknown): Readonly<Record<string, unknown>> {
  const address = typeof bgp === 'object' && bgp !== null && 'ipv4IPIPTunnelAddr' in bgp ? bgp.ipv4IPIPTunnelAddr : undefined
  return address === undefined ? {} : { ipv4IPIPTunnelAddr: address }
}
