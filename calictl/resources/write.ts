/** Carries a plan out: each write compares and swaps, and what others changed meanwhile is planned anew. */

import { formatPrefix } from '@network/base/net/prefix.ts'
import { deleteNode } from '@network/datastore/nodes.ts'
import { deletePool } from '@network/datastore/pools.ts'
import type { Datastore, Entry, Options } from '@network/datastore/port.ts'
import { inItsPlace } from '@network/datastore/records.ts'
import type { Document } from '@network/model/resources/kind.ts'
import { checkChange, kindsToCheck } from '@network/model/rules/check.ts'
import type { Context } from '../context.ts'
import { failure } from '../exit.ts'
import { type PlanOptions, planOf, type Step, type Verb, type Wish } from './plan.ts'
import { refuseProblems } from './refuse.ts'
import { readEntries } from './stock.ts'

/** A step that was done. */
export interface Done {
  readonly step: Step
  /** Undefined where it is gone. */
  readonly revision: string | undefined
  /** More that happened, one sentence each. */
  readonly also: readonly string[]
}

const ATTEMPTS = 20

/** What would be done; refused, with every problem told, where anything cannot be. */
export async function planned(
  context: Context,
  { verb, wishes, options, made }: Request,
): Promise<{ readonly store: Datastore; readonly steps: readonly Step[] }> {
  const store = await context.store(made === true ? 'made' : 'existing')
  const steps = planOf(verb, wishes, await entriesFor(store, wishes, context), options)
  refuseProblems(context, verb, steps)
  return { store, steps }
}

export interface Request {
  readonly verb: Verb
  readonly wishes: readonly Wish[]
  readonly options: PlanOptions
  /** The store may be made: a cluster begins with its first resources. */
  readonly made?: boolean
}

function entriesFor(store: Datastore, wishes: readonly Wish[], { signal }: Options): Promise<ReadonlyMap<string, Entry>> {
  return readEntries(store, new Set(wishes.flatMap(({ kind }) => kindsToCheck(kind))), signal)
}

/** Does the steps one after the other. */
export async function carryOut(
  context: Context,
  request: Request,
  { store, steps }: { readonly store: Datastore; readonly steps: readonly Step[] },
): Promise<readonly Done[]> {
  const done: Done[] = []
  let left = steps
  for (let tried = 0; left.length > 0; ) {
    const [step, ...rest] = left
    if (step === undefined) break
    const outcome = await once(store, step, context)
    if (outcome !== 'lost') {
      done.push(outcome)
      left = rest
      continue
    }
    if (++tried >= ATTEMPTS) throw contended(step, done)
    left = await anew(context, request, { store, left, done })
  }
  return done
}

/** Somebody else changed a resource between the plan and its step: the rest is planned again with what is there now. */
async function anew(
  context: Context,
  { verb, options }: Request,
  { store, left, done }: { readonly store: Datastore; readonly left: readonly Step[]; readonly done: readonly Done[] },
): Promise<readonly Step[]> {
  const wishes = left.map(({ wish }) => wish)
  const steps = planOf(verb, wishes, await entriesFor(store, wishes, context), options)
  refuseProblems(context, verb, steps, done)
  return steps
}

function contended({ wish }: Step, done: readonly Done[]) {
  return failure('refused', {
    doing: 'write',
    on: wish.key,
    says: `others changed it ${ATTEMPTS} times meanwhile`,
    mend: `try again; ${done.length} were written before it`,
  })
}

async function once(store: Datastore, step: Step, options: Options): Promise<Done | 'lost'> {
  const { wish, before, after, does } = step
  if (does === 'nothing') return { step, revision: before?.revision, also: [] }
  if (does === 'delete' || after === undefined) return remove(store, step, options)
  const written =
    before === undefined
      ? await store.create(wish.key, after, options)
      : await store.update(wish.key, after, before.revision, options)
  if (written.is !== 'written') return 'lost'
  if (before === undefined) await refuseRace(store, wish, { after, revision: written.revision }, options)
  return { step, revision: written.revision, also: [] }
}

/** Of two that stand in each other's way and come at the same moment, at least one sees the other, and goes. */
async function refuseRace(
  store: Datastore,
  { kind, key, document }: Wish,
  { after, revision }: { readonly after: Document; readonly revision: string },
  options: Options,
): Promise<void> {
  if (!EXCLUSIVE.has(kind.kind)) return
  const entries = await readEntries(store, kindsToCheck(kind), options.signal)
  const documents = new Map<string, unknown>([...entries].map(([at, entry]) => [at, entry.document]))
  const [problem] = checkChange(documents, { key, document: document ?? after })
  if (problem === undefined) return
  await store.delete(key, revision, options)
  throw failure('refused', {
    doing: 'create',
    on: `${kind.kind} ${after.metadata.name}`,
    says: `somebody else was faster: ${problem.says}`,
    mend: 'it was taken back',
  })
}

/** Kinds whose resources can stand in each other's way. */
const EXCLUSIVE: ReadonlySet<string> = new Set(['IPPool', 'Node'])

/** Pools and nodes go with what belongs to them. */
async function remove(store: Datastore, step: Step, options: Options): Promise<Done | 'lost'> {
  const { wish, before } = step
  if (before === undefined) return 'lost'
  const parsed = inItsPlace(wish.kind, wish.key, wish.kind.parseStored(before.document))
  const also = parsed.ok ? REMOVE.get(wish.kind.kind) : undefined
  if (also !== undefined && parsed.ok) {
    const told = await also(store, parsed.document.metadata.name, options)
    return told === 'lost' ? 'lost' : { step, revision: undefined, also: told }
  }
  const deleted = await store.delete(wish.key, before.revision, options)
  return deleted.is === 'deleted' ? { step, revision: undefined, also: [] } : 'lost'
}

type Remove = (store: Datastore, name: string, options: Options) => Promise<readonly string[] | 'lost'>

const REMOVE: ReadonlyMap<string, Remove> = new Map<string, Remove>([
  ['IPPool', async (store, name, options) => ((await deletePool(store, name, options)).is === 'deleted' ? [] : 'lost')],
  [
    'Node',
    async (store, name, options) => {
      const deleted = await deleteNode(store, name, options)
      if (deleted.is === 'absent') return 'lost'
      const blocks = deleted.blocks.map(formatPrefix)
      return blocks.length === 0 ? [] : [`free again: ${blocks.join(', ')}`]
    },
  ],
])
