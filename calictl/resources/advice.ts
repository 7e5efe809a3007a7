/** What is said of a plan before it is carried out: what kernels cannot do, and what the user should know. */

import type { Datastore } from '@network/datastore/port.ts'
import { listOf } from '@network/datastore/records.ts'
import { NOT_ENFORCED } from '@network/model/resources/describe.ts'
import { IP_POOL, type IpPool } from '@network/model/resources/ip-pool.ts'
import { IPAM_CONFIGURATION } from '@network/model/resources/ipam.ts'
import { NODE } from '@network/model/resources/node.ts'
import type { Context } from '../context.ts'
import { refuseAlive } from '../nodes.ts'
import { refuseUnsupported, subnetWarning, type Tunnel, tunnelText } from '../pools.ts'
import { byName } from '../read.ts'
import { surveyAgents } from '../survey.ts'
import type { Step } from './plan.ts'

/** Pools whose tunnel a kernel lacks, and nodes that are alive, are refused by whoever knows: the agents. */
export async function refuseImpossible(context: Context, steps: readonly Step[]): Promise<void> {
  const tunnelled = poolsOf(steps).find(
    ({ pool, before }) => !isPlain(pool) && (before === undefined || !sameTunnel(pool, before)),
  )
  if (tunnelled !== undefined) {
    const { pool } = tunnelled
    const act = { doing: 'set the tunnel of', on: `pool ${pool.name} to ${tunnelText(pool)}` }
    refuseUnsupported(pool, act, await surveyAgents(context))
  }
  for (const { wish, before, does } of steps) {
    const node = wish.kind.kind === NODE.kind && does === 'delete' ? NODE.parseStored(before?.document) : undefined
    if (node?.ok === true) await refuseAlive(context, node.value.name, `use calictl node delete ${node.value.name} --force`)
  }
}

export async function adviseOn(
  context: Context,
  { store, steps }: { readonly store: Datastore; readonly steps: readonly Step[] },
): Promise<void> {
  const written = steps.filter(({ does }) => does === 'create' || does === 'change')
  for (const kind of new Set(written.map(({ wish }) => wish.kind)))
    if (!kind.enforced) context.err(`note: ${kind.kind}: ${NOT_ENFORCED}`)
  for (const { wish, after } of written) {
    const ipam = wish.kind.kind === IPAM_CONFIGURATION.kind ? IPAM_CONFIGURATION.parseStored(after) : undefined
    const rest = ipam?.ok === true ? ipam.value.spec.ipCooldownSeconds : 0
    if (rest > 0)
      context.err(
        `note: ipCooldownSeconds ${rest} is stored and does nothing yet: a released address may be given out again at once`,
      )
  }
  const plain = poolsOf(written).find(({ pool, before }) => isPlain(pool) && (before === undefined || !isPlain(before)))
  if (plain === undefined) return
  const { read } = await listOf(store, NODE, { signal: context.signal })
  const warning = subnetWarning(plain.pool, read.map(({ value }) => value).toSorted(byName))
  if (warning !== undefined) context.err(warning)
}

function isPlain({ ipipMode, vxlanMode }: Tunnel): boolean {
  return ipipMode === 'Never' && vxlanMode === 'Never'
}

function sameTunnel(one: Tunnel, other: Tunnel): boolean {
  return one.ipipMode === other.ipipMode && one.vxlanMode === other.vxlanMode
}

/** The pools that a plan writes, and what they were. */
export function poolsOf(steps: readonly Step[]): readonly { readonly pool: IpPool; readonly before: IpPool | undefined }[] {
  return steps.flatMap(({ wish, before, after, does }) => {
    if (wish.kind.kind !== IP_POOL.kind || (does !== 'create' && does !== 'change')) return []
    const now = IP_POOL.parseStored(after)
    const was = IP_POOL.parseStored(before?.document)
    return now.ok ? [{ pool: now.value, before: was.ok ? was.value : undefined }] : []
  })
}
