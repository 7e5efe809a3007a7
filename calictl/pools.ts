/** What several commands say about pools and their modes. */

import { formatPrefix } from '@network/base/net/prefix.ts'
import type { Fault } from '@network/base/run/fault.ts'
import { didYouMean } from '@network/base/text/closest.ts'
import { IPIP_MODES, type IpipMode, type IpPool, parseIpipMode } from '@network/model/resources/ip-pool.ts'
import { type Node, subnetOf } from '@network/model/resources/node.ts'
import type { Survey } from './agents.ts'
import type { Context } from './context.ts'
import { failure } from './exit.ts'

export const NOTHING_CHANGED = 'nothing was changed'

export function noSuchPool(doing: string, name: string, all: readonly IpPool[]): Fault {
  const known = all.map(pool => pool.name)
  const mend =
    all.length > 0
      ? `${didYouMean(name, known)}the pools are ${describe(all)}`
      : 'there are no pools; calictl ippool create makes one'
  return failure('notFound', { doing, on: `pool ${name}`, says: 'there is no such pool', mend })
}

export function describe(pools: readonly IpPool[]): string {
  return pools.map(({ name, cidr }) => `${name} (${formatPrefix(cidr)})`).join(', ')
}

/** What `--ipip` and `--vxlan` say together: one tunnel at most, so turning one on turns the other off. */
export function tunnelFrom(context: Context, { ipip, vxlan }: TunnelOptions): Tunnel | undefined {
  const ipipMode = ipip === undefined ? undefined : modeFrom(context, ipip, '--ipip')
  const vxlanMode = vxlan === undefined ? undefined : modeFrom(context, vxlan, '--vxlan')
  if (ipipMode === undefined && vxlanMode === undefined) return undefined
  if (ipipMode === undefined || vxlanMode === undefined) return { ipipMode: ipipMode ?? 'Never', vxlanMode: vxlanMode ?? 'Never' }
  throw failure('usage', {
    doing: 'use',
    on: `--ipip ${ipip} with --vxlan ${vxlan}`,
    says: 'a pool has one tunnel',
    mend: `give one of them, the other becomes Never; ${NOTHING_CHANGED}`,
  })
}

export type Tunnel = Pick<IpPool, 'ipipMode' | 'vxlanMode'>

/** `ipipMode CrossSubnet` or `vxlanMode Always`. */
export function tunnelText({ ipipMode, vxlanMode }: Tunnel): string {
  return vxlanMode === 'Never' ? `ipipMode ${ipipMode}` : `vxlanMode ${vxlanMode}`
}

/** The options that choose a pool's tunnel, as typed. */
export interface TunnelOptions {
  readonly ipip?: string
  readonly vxlan?: string
}

/** Reads a mode; `off` is taken, with a hint, because Calico once called it so. */
function modeFrom({ err }: Context, text: string, option: string): IpipMode {
  const mode = parseIpipMode(text)
  if (mode === undefined) {
    const says = `"${text}" is not a mode`
    throw failure('usage', {
      doing: 'use',
      on: `${option} ${text}`,
      says,
      mend: `${didYouMean(text, IPIP_MODES)}write ${IPIP_MODES.join(', ')}; ${NOTHING_CHANGED}`,
    })
  }
  if (text.toLowerCase() === 'off') err('note: the mode is called Never; "off" is read so')
  return mode
}

/** Refuses a mode that needs a tunnel where an agent says that its kernel has none; what cannot be asked is not held against it. */
export function refuseUnsupported(
  { ipipMode, vxlanMode }: Tunnel,
  { doing, on }: { doing: string; on: string },
  { answers }: Survey,
): void {
  const kind = ipipMode !== 'Never' ? IPIP : vxlanMode !== 'Never' ? VXLAN : undefined
  const without = answers.filter(({ status }) => kind !== undefined && !status[kind.field].supported)
  if (kind === undefined || without.length === 0) return
  const reasons = new Set(without.flatMap(({ status }) => status[kind.field].reason ?? []))
  const because = reasons.size === 0 ? '' : ` (${[...reasons].join('; ')})`
  throw failure('refused', {
    doing,
    on,
    says: `the kernel of ${nodesWord(without.length)} ${without.map(({ node }) => node).join(', ')} has no ${kind.title}${because}`,
    mend: `load the module there (modprobe ${kind.field}) or use --${kind.other} ${ipipMode === 'Never' ? vxlanMode : ipipMode}; ${NOTHING_CHANGED}`,
  })
}

const IPIP = { field: 'ipip', title: 'IPIP', other: 'vxlan' } as const
const VXLAN = { field: 'vxlan', title: 'VXLAN', other: 'ipip' } as const

function nodesWord(count: number): string {
  return count === 1 ? 'node' : 'nodes'
}

/** What Never means for nodes in several subnets; undefined when there is nothing to warn of. */
export function subnetWarning({ ipipMode, vxlanMode }: Tunnel, nodes: readonly Node[]): string | undefined {
  if (ipipMode !== 'Never' || vxlanMode !== 'Never') return undefined
  const bySubnet = Map.groupBy(nodes, node => formatPrefix(subnetOf(node)))
  if (bySubnet.size < 2) return undefined
  const groups = [...bySubnet].map(([subnet, inside]) => `${inside.map(({ name }) => name).join(', ')} in ${subnet}`)
  return `warning: pods in different subnets cannot reach each other unless the fabric knows the blocks: ${groups.join('; ')}`
}

/** Nodes of the cluster that no agent here spoke for; undefined when there are none. */
export function unaskedNote(
  nodes: readonly Node[],
  { answers, silences }: Survey,
  { runDir }: Context['agents'],
): string | undefined {
  const heard = new Set([...answers, ...silences].map(({ node }) => node))
  const unasked = nodes.filter(({ name }) => !heard.has(name)).map(({ name }) => name)
  return unasked.length === 0 ? undefined : `note: not asked, for they have no socket in ${runDir}: ${unasked.join(', ')}`
}
