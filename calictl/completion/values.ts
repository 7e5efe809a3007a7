/** The names that completion offers, as the cluster has them at this moment. */

import { formatIpv4 } from '@network/base/net/ipv4.ts'
import { formatPrefix } from '@network/base/net/prefix.ts'
import { byNature } from '@network/base/text/natural.ts'
import { listOf } from '@network/datastore/records.ts'
import { DEFAULT_DATASTORE } from '@network/datastore/where.ts'
import { IP_POOL, IPIP_MODES, type IpPool } from '@network/model/resources/ip-pool.ts'
import type { Kind } from '@network/model/resources/kind.ts'
import { NODE } from '@network/model/resources/node.ts'
import { WORKLOAD_ENDPOINT } from '@network/model/resources/workload-endpoint.ts'
import type { Context } from '../context.ts'
import { podName } from '../pods.ts'
import { byName } from '../read.ts'
import { FORMATS } from '../render/format.ts'
import type { Candidate, Lookup } from './complete.ts'
import { SHELLS } from './scripts.ts'

/** Looks names up in the store; documents that cannot be read are passed over in silence. */
export function lookupIn(context: Context, partial: string): Lookup {
  return async (source, operands) => {
    switch (source) {
      case 'pool':
        return (await all(context, IP_POOL))
          .toSorted(byName)
          .map(pool => ({ word: pool.name, about: `${formatPrefix(pool.cidr)}, ${tunnelOf(pool)}` }))
      case 'node':
        return (await all(context, NODE))
          .toSorted(byName)
          .map(({ name, address }) => ({ word: name, about: formatIpv4(address) }))
      case 'pod':
        return pods(context, partial)
      case 'mode':
        return IPIP_MODES.map(word => ({ word, about: ABOUT_MODE[word] }))
      case 'shell':
        return SHELLS.map(word => ({ word }))
      case 'store':
        return [{ word: DEFAULT_DATASTORE }]
      case 'boolean':
        return [{ word: 'true' }, { word: 'false' }]
      case 'format':
        return FORMATS.map(word => ({ word: word.replace('…', '') }))
      case 'kind':
        return (await import('./kinds.ts')).kinds()
      case 'field':
        return (await import('./kinds.ts')).fields(partial)
      case 'name':
        return (await import('./kinds.ts')).names(context, operands)
      case 'bgppeer':
      case 'bgpfilter':
      case 'bgpconfiguration':
      case 'agentconfiguration':
        return (await import('./kinds.ts')).names(context, [source])
      default:
        return source satisfies never
    }
  }
}

function tunnelOf({ ipipMode, vxlanMode }: IpPool): string {
  return vxlanMode === 'Never' ? `ipip ${ipipMode}` : `vxlan ${vxlanMode}`
}

const ABOUT_MODE = {
  Always: 'every packet to another node in the tunnel',
  CrossSubnet: 'the tunnel between subnets only',
  Never: 'no tunnel: the fabric knows the pods',
} as const

/** Names alone while one fits, with their namespace otherwise: nobody wants to see each pod twice. */
async function pods(context: Context, partial: string): Promise<readonly Candidate[]> {
  const endpoints = (await all(context, WORKLOAD_ENDPOINT)).toSorted((a, b) => byNature(podName(a), podName(b)))
  const fits = endpoints.some(({ pod }) => pod.startsWith(partial))
  return endpoints.map(endpoint => ({
    word: fits ? endpoint.pod : podName(endpoint),
    about: `${endpoint.addresses.map(formatIpv4).join(', ')} on ${endpoint.node}`,
  }))
}

async function all<T>(context: Context, kind: Kind<T>): Promise<readonly T[]> {
  const { read } = await listOf(await context.store(), kind, { signal: context.signal })
  return read.map(({ value }) => value)
}
