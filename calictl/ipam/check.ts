/** Whether blocks, their owners and those who use addresses agree: a pure function of what is there. */

import { formatIpv4, type Ipv4 } from '@network/base/net/ipv4.ts'
import { covers, formatPrefix } from '@network/base/net/prefix.ts'
import { addressAt } from '@network/datastore/ipam/blocks.ts'
import type { BlockAffinity } from '@network/model/resources/block-affinity.ts'
import type { IpPool } from '@network/model/resources/ip-pool.ts'
import type { Allocation, IpamBlock } from '@network/model/resources/ipam-block.ts'
import type { Node } from '@network/model/resources/node.ts'
import type { WorkloadEndpoint } from '@network/model/resources/workload-endpoint.ts'

export interface IpamState {
  readonly pools: readonly IpPool[]
  readonly blocks: readonly IpamBlock[]
  readonly affinities: readonly BlockAffinity[]
  readonly nodes: readonly Node[]
  readonly workloads: readonly WorkloadEndpoint[]
}

export type Fault =
  /** In a block as used, and nobody uses it. */
  | 'leaked'
  /** Used, and free in its block, or in no block. */
  | 'unallocated'
  | 'twice'
  /** Its block is in no pool. */
  | 'outside'
  /** A block without the affinity of its node, or an affinity without its block. */
  | 'torn'
  /** The node of a block is not there. */
  | 'orphan'

export interface IpamProblem {
  readonly is: Fault
  /** Address or block. */
  readonly at: string
  readonly says: string
  readonly mend: string
}

export interface IpamCheck {
  readonly blocks: number
  readonly allocations: number
  readonly used: number
  readonly problems: readonly IpamProblem[]
}

/** Someone with an address: `shop/web-1`, `tunnel of node a`. */
interface User {
  readonly address: Ipv4
  readonly who: string
}

/** An address, and who took it. */
export interface Taken {
  readonly address: Ipv4
  readonly allocation: Allocation
}

export function checkIpam(state: IpamState): IpamCheck {
  const users = usersOf(state)
  const taken = state.blocks.flatMap(takenIn)
  return {
    blocks: state.blocks.length,
    allocations: taken.length,
    used: users.length,
    problems: [...leaked(taken, users), ...unallocated(taken, users, state), ...twice(users), ...blockProblems(state)],
  }
}

/** Addresses that are taken in a block, and that nobody uses. */
export function leakedIn(state: IpamState): readonly Taken[] {
  const used = new Set(usersOf(state).map(({ address }) => address))
  return state.blocks.flatMap(takenIn).filter(({ address }) => !used.has(address))
}

function usersOf({ nodes, workloads }: IpamState): readonly User[] {
  return [
    ...workloads.flatMap(({ namespace, pod, addresses }) => addresses.map(address => ({ address, who: `${namespace}/${pod}` }))),
    ...nodes.flatMap(({ name, tunnelAddress }) =>
      tunnelAddress === undefined ? [] : [{ address: tunnelAddress, who: `tunnel of node ${name}` }],
    ),
  ]
}

function takenIn({ cidr, allocations }: IpamBlock): readonly Taken[] {
  return [...allocations].map(([ordinal, allocation]) => ({ address: addressAt(cidr, ordinal), allocation }))
}

function leaked(taken: readonly Taken[], users: readonly User[]): readonly IpamProblem[] {
  const used = new Set(users.map(({ address }) => address))
  return taken.flatMap(({ address, allocation: { use, node } }) =>
    used.has(address)
      ? []
      : [
          {
            is: 'leaked',
            at: formatIpv4(address),
            says: `is taken for ${use} on node ${node}, and nobody uses it`,
            mend: `if no pod is just being started: calictl ipam release --ip ${formatIpv4(address)}`,
          },
        ],
  )
}

function unallocated(taken: readonly Taken[], users: readonly User[], { pools }: IpamState): readonly IpamProblem[] {
  const known = new Set(taken.map(({ address }) => address))
  return users.flatMap(({ address, who }) => {
    if (known.has(address)) return []
    const inPool = pools.some(({ cidr }) => covers(cidr, { address, length: 32 }))
    const says = inPool ? 'its block does not know it, and may give it to another' : 'it is in no pool'
    return [
      {
        is: 'unallocated',
        at: formatIpv4(address),
        says: `belongs to ${who}, and ${says}`,
        mend: 'delete the pod, so that it is made anew',
      },
    ]
  })
}

function twice(users: readonly User[]): readonly IpamProblem[] {
  return [...Map.groupBy(users, ({ address }) => address)].flatMap(([address, alike]) =>
    alike.length < 2
      ? []
      : [
          {
            is: 'twice',
            at: formatIpv4(address),
            says: `belongs to ${alike.map(({ who }) => who).join(' and ')}`,
            mend: 'delete all but one of them',
          },
        ],
  )
}

function blockProblems({ pools, blocks, affinities, nodes }: IpamState): readonly IpamProblem[] {
  const names = new Set(nodes.map(({ name }) => name))
  const owners = new Map(affinities.map(({ block, node, state }) => [formatPrefix(block), { node, state }]))
  const known = new Set(blocks.map(({ cidr }) => formatPrefix(cidr)))
  return [
    ...blocks.flatMap(({ cidr, node, allocations }): IpamProblem[] => {
      const at = formatPrefix(cidr)
      const owner = owners.get(at)
      return [
        ...(pools.some(pool => covers(pool.cidr, cidr))
          ? []
          : [
              {
                is: 'outside' as const,
                at,
                says: `is a block of node ${node} in no pool`,
                mend: 'create the pool again, or delete its pods',
              },
            ]),
        ...(names.has(node)
          ? []
          : [
              {
                is: 'orphan' as const,
                at,
                says: `belongs to node ${node}, which is not there`,
                mend: `calictl node delete ${node} frees it`,
              },
            ]),
        ...(owner?.node === node || allocations.size === 0
          ? []
          : [
              {
                is: 'torn' as const,
                at,
                says: `has addresses of node ${node}, and ${owner === undefined ? 'no affinity' : `an affinity to ${owner.node}`}`,
                mend: `restart cali-agent on ${node}`,
              },
            ]),
      ]
    }),
    ...affinities.flatMap(({ block, node, state }): IpamProblem[] => {
      const at = formatPrefix(block)
      if (state !== 'confirmed' || known.has(at)) return []
      return [
        {
          is: 'torn',
          at,
          says: `is announced by node ${node}, and there is no such block`,
          mend: `restart cali-agent on ${node}`,
        },
      ]
    }),
  ]
}
