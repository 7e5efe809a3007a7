/** `calictl ippool create`: a new range, or every reason why it cannot be. */

import { formatIpv4 } from '@network/base/net/ipv4.ts'
import { formatPrefix } from '@network/base/net/prefix.ts'
import { createPool, type PoolCreated } from '@network/datastore/pools.ts'
import { IP_POOL, type IpPool } from '@network/model/resources/ip-pool.ts'
import { API_VERSION } from '@network/model/resources/kind.ts'
import { NODE } from '@network/model/resources/node.ts'
import { type Context, show } from '../context.ts'
import { EXIT, type ExitCode, type Failure, failure } from '../exit.ts'
import { NOTHING_CHANGED, refuseUnsupported, subnetWarning, type TunnelOptions, tunnelFrom, tunnelText } from '../pools.ts'
import { byName, readAll } from '../read.ts'
import { surveyAgents } from '../survey.ts'

export interface CreateOptions extends TunnelOptions {
  readonly cidr: string
  readonly blockSize: string
  readonly natOutgoing?: boolean
}

export async function makePool(context: Context, name: string, options: CreateOptions): Promise<ExitCode> {
  const pool = poolFrom(context, name, options)
  // Never asks nothing of any kernel; so the first pool of a cluster is made without a word about agents that do not run yet.
  if (pool.ipipMode !== 'Never' || pool.vxlanMode !== 'Never')
    refuseUnsupported(pool, { doing: 'create', on: `pool ${name} with ${tunnelText(pool)}` }, await surveyAgents(context))
  // A cluster may begin with its first pool: this command alone makes the store where there is none.
  const created = await createPool(await context.store('made'), pool, { signal: context.signal })
  if (created.is !== 'created') throw refusal(pool, created)
  const warning = subnetWarning(pool, (await readAll(context, NODE)).toSorted(byName))
  if (warning !== undefined) context.err(warning)
  const text = `pool ${name} created: ${formatPrefix(pool.cidr)}, blocks of /${pool.blockSize}, ${tunnelText(pool)}`
  await show(context, { document: IP_POOL.print(pool), text })
  return EXIT.ok
}

/** What of a document comes from which argument: problems are told in the words that the user typed. */
const ARGUMENT_OF: Readonly<Record<string, string>> = {
  'metadata.name': 'name',
  'spec.cidr': '--cidr',
  'spec.blockSize': '--block-size',
  'spec.ipipMode': '--ipip',
  'spec.vxlanMode': '--vxlan',
}

function poolFrom(context: Context, name: string, { cidr, blockSize, natOutgoing, ...options }: CreateOptions): IpPool {
  const tunnel = tunnelFrom(context, options)
  const length = /^\d+$/.test(blockSize) ? Number(blockSize) : blockSize
  const document = {
    apiVersion: API_VERSION,
    kind: 'IPPool',
    metadata: { name },
    spec: { cidr, blockSize: length, natOutgoing, ...tunnel },
  }
  const parsed = IP_POOL.parse(document)
  if (parsed.ok) return parsed.value
  const says = parsed.problems.map(problem => `${ARGUMENT_OF[problem.at] ?? problem.at}: ${problem.says}`).join('; ')
  throw failure('usage', { doing: 'create', on: `pool ${name}`, says, mend: NOTHING_CHANGED })
}

function refusal(pool: IpPool, why: Exclude<PoolCreated, { is: 'created' }>) {
  const cidr = formatPrefix(pool.cidr)
  const refuse = (says: string, mend: string, how: Failure = 'refused') =>
    failure(how, { doing: 'create', on: `pool ${pool.name}`, says, mend: `${mend}; ${NOTHING_CHANGED}` })
  switch (why.is) {
    case 'exists':
      return refuse('there is a pool of that name already', `see it with calictl ippool get ${pool.name}, or choose another name`)
    case 'overlaps':
      return refuse(`${cidr} overlaps pool ${why.pool} (${formatPrefix(why.cidr)})`, 'choose addresses outside of it')
    case 'holds-node':
      return refuse(
        `${cidr} holds ${formatIpv4(why.address)}, the address of node ${why.node}`,
        'choose addresses that the fabric does not use',
      )
    case 'reserved':
      return refuse(
        `${cidr} lies in ${formatPrefix(why.range)}, which is ${why.what}`,
        'choose for example 10.244.0.0/16',
        'usage',
      )
    default:
      return why satisfies never
  }
}
