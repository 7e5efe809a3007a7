/** `calictl ippool set`: changes a pool on the running cluster, and waits until the agents act on it. */

import { between, type Millis } from '@network/base/time/units.ts'
import { type PoolChange, setPool } from '@network/datastore/pools.ts'
import { IP_POOL, type IpPool } from '@network/model/resources/ip-pool.ts'
import { NODE } from '@network/model/resources/node.ts'
import type { Answer } from '../agents.ts'
import type { Context } from '../context.ts'
import { isForPeople, show } from '../context.ts'
import { type ExitCode, failure } from '../exit.ts'
import {
  describe,
  NOTHING_CHANGED,
  noSuchPool,
  refuseUnsupported,
  subnetWarning,
  type TunnelOptions,
  tunnelFrom,
  tunnelText,
  unaskedNote,
} from '../pools.ts'
import { byName, readAll } from '../read.ts'
import { completeness, surveyAgents } from '../survey.ts'
import { type Aim, patienceFrom, poolsReached, untilActing, type Waited } from '../wait.ts'

export interface SetOptions extends TunnelOptions {
  readonly natOutgoing?: boolean
  readonly wait: boolean
  /** Seconds, as typed. */
  readonly timeout: string
}

export async function changePool(context: Context, name: string | undefined, options: SetOptions): Promise<ExitCode> {
  const tunnel = tunnelFrom(context, options)
  const { natOutgoing } = options
  if (tunnel === undefined && natOutgoing === undefined) throw nothingAsked()
  const patience = patienceFrom(options)
  const pool = chosen((await readAll(context, IP_POOL)).toSorted(byName), name)
  const survey = await surveyAgents(context)
  const field = tunnel === undefined ? 'natOutgoing' : options.vxlan === undefined ? 'ipipMode' : 'vxlanMode'
  if (tunnel !== undefined && field !== 'natOutgoing')
    refuseUnsupported(tunnel, { doing: `set ${field} of`, on: `pool ${pool.name} to ${tunnel[field]}` }, survey)
  const nodes = (await readAll(context, NODE)).toSorted(byName)
  for (const note of [unaskedNote(nodes, survey, context.agents), tunnel && subnetWarning(tunnel, nodes)])
    if (note !== undefined) context.err(note)
  const { before, after } = await store(context, pool.name, { ...tunnel, ...(natOutgoing === undefined ? {} : { natOutgoing }) })
  if (isForPeople(context)) context.out(sentence(pool.name, before, after, field))
  const asked = options.wait ? survey.answers : []
  const { ipipMode, vxlanMode } = after
  const aim = { pool: pool.name, ipipMode, vxlanMode, natOutgoing: after.natOutgoing }
  await finish(context, aim, { former: before, asked, patience })
  return completeness(survey)
}

function chosen(pools: readonly IpPool[], name: string | undefined): IpPool {
  if (name !== undefined) {
    const named = pools.find(pool => pool.name === name)
    if (named === undefined) throw noSuchPool('set', name, pools)
    return named
  }
  const [only, ...others] = pools
  if (only === undefined)
    throw failure('notFound', {
      doing: 'set',
      on: 'the only pool',
      says: 'there are no pools',
      mend: 'make one: calictl ippool create default --cidr 10.244.0.0/16',
    })
  if (others.length === 0) return only
  throw failure('usage', {
    doing: 'set',
    on: 'a pool without its name',
    says: `there are several: ${describe(pools)}`,
    mend: `name one; ${NOTHING_CHANGED}`,
  })
}

/** Stores what is asked for; returns the pool as it was and as it is. */
async function store(context: Context, name: string, change: PoolChange): Promise<{ before: IpPool; after: IpPool }> {
  const set = await setPool(await context.store(), name, change, { signal: context.signal })
  switch (set.is) {
    case 'set':
      return set
    case 'unchanged':
      return { before: set.pool, after: set.pool }
    case 'absent':
      throw noSuchPool('set', name, (await readAll(context, IP_POOL)).toSorted(byName))
    case 'immutable':
      throw failure('refused', {
        doing: 'set',
        on: `${set.field} of pool ${name}`,
        says: 'it cannot change',
        mend: NOTHING_CHANGED,
      })
    default:
      return set satisfies never
  }
}

const FIELDS = ['ipipMode', 'vxlanMode', 'natOutgoing'] as const
type Settings = Pick<IpPool, (typeof FIELDS)[number]>

/** What changed; where nothing did, of what was asked for. */
function sentence(pool: string, former: Settings, wanted: Settings, asked: keyof Settings): string {
  const changes = FIELDS.filter(field => former[field] !== wanted[field]).map(
    field => `${field} ${former[field]} -> ${wanted[field]}`,
  )
  return `pool ${pool}: ${changes.length === 0 ? `${asked} is ${wanted[asked]} already` : changes.join(', ')}`
}

function nothingAsked() {
  return failure('usage', {
    doing: 'set',
    on: 'a pool',
    says: 'nothing to change is named',
    mend: `give --ipip MODE, --vxlan MODE or --nat-outgoing; ${NOTHING_CHANGED}`,
  })
}

/** Waits for the agents that were asked, and says what came of it. */
async function finish(
  context: Context,
  aim: Aim,
  { former, asked, patience }: { former: Settings; asked: readonly Answer[]; patience: Millis },
): Promise<void> {
  const began = context.clock.now()
  const waited =
    asked.length > 0 ? await untilActing(context, asked, poolsReached([aim]), { within: patience }) : { acting: [], waiting: [] }
  const took = between(began, context.clock.now())
  const document = {
    kind: 'IPPoolChange',
    pool: aim.pool,
    ipipMode: { from: former.ipipMode, to: aim.ipipMode },
    vxlanMode: { from: former.vxlanMode, to: aim.vxlanMode },
    natOutgoing: { from: former.natOutgoing, to: aim.natOutgoing },
    acting: waited.acting,
    waiting: waited.waiting,
  }
  if (!isForPeople(context)) await show(context, { document, text: '' })
  else if (waited.acting.length > 0) context.out(`${waited.acting.join(', ')}: in effect after ${(took / 1000).toFixed(1)} s`)
  if (waited.waiting.length > 0) throw timedOut(aim, waited, patience)
}

function timedOut({ pool, ...tunnel }: Aim, { waiting }: Waited, patience: Millis) {
  return failure('timeout', {
    doing: 'see',
    on: `pool ${pool} at ${tunnelText(tunnel)} everywhere`,
    says: `after ${patience / 1000} s, ${waiting.map(({ node, says }) => `${node}: ${says}`).join(', ')}`,
    mend: 'it is stored and the agents go on; see calictl node status',
  })
}
