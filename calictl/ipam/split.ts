/** `calictl ipam split`: one pool becomes several that together are it, while pods use its addresses. */

import { toIpv4 } from '@network/base/net/ipv4.ts'
import { formatPrefix, type Prefix, toPrefix } from '@network/base/net/prefix.ts'
import { createOf, listOf, type Stored, updateOf } from '@network/datastore/records.ts'
import { IP_POOL, type IpPool } from '@network/model/resources/ip-pool.ts'
import { type Context, show } from '../context.ts'
import { EXIT, type ExitCode, failure } from '../exit.ts'
import { describe, NOTHING_CHANGED, noSuchPool } from '../pools.ts'
import { byName } from '../read.ts'

export interface SplitOptions {
  readonly cidr?: string
  readonly into: string
  readonly dryRun?: true
}

/**
 * The parts after the first are created before the pool shrinks to its first part: at every moment each address is in some pool, of equal
 * settings. What a crash leaves is finished by running it again.
 */
export async function split(context: Context, name: string | undefined, options: SplitOptions): Promise<ExitCode> {
  const store = await context.store()
  const { read } = await listOf(store, IP_POOL, context)
  const pools = read.toSorted((a, b) => byName(a.value, b.value))
  const stored = chosen(pools, name, options.cidr)
  const parts = partsOf(stored.value, countFrom(options.into))
  const others = pools.filter(one => one !== stored)
  for (const { name: wanted, cidr } of parts.slice(1)) {
    const twin = others.find(({ value }) => value.name === wanted)?.value
    if (twin !== undefined && formatPrefix(twin.cidr) !== formatPrefix(cidr))
      throw failure('refused', {
        doing: 'split',
        on: `pool ${stored.value.name}`,
        says: `there is a pool ${wanted} already, of ${formatPrefix(twin.cidr)}`,
        mend: NOTHING_CHANGED,
      })
  }
  if (options.dryRun !== true) await carryOut(context, stored, parts)
  const done = options.dryRun === true ? ' (dry run)' : ''
  await show(context, {
    document: { kind: 'IPPoolList', items: parts.map(IP_POOL.print) },
    text: [
      `pool ${stored.value.name} ${formatPrefix(stored.value.cidr)} split${done}:`,
      ...parts.map(part => `  ${part.name} ${formatPrefix(part.cidr)}`),
    ].join('\n'),
  })
  return EXIT.ok
}

async function carryOut(context: Context, stored: Stored<IpPool>, [first, ...rest]: readonly IpPool[]): Promise<void> {
  const store = await context.store()
  for (const part of rest) await createOf(store, IP_POOL, part, context)
  if (first === undefined) return
  const written = await updateOf(store, IP_POOL, { value: first, revision: stored.revision, document: stored.document }, context)
  if (written.is === 'written') return
  throw failure('refused', {
    doing: 'split',
    on: `pool ${stored.value.name}`,
    says: 'somebody changed it meanwhile',
    mend: 'run it again; its other parts are there already',
  })
}

/** The parts in order of address; the first keeps the name. */
export function partsOf(pool: IpPool, count: number): readonly IpPool[] {
  const length = pool.cidr.length + Math.log2(count)
  if (length > pool.blockSize)
    throw failure('usage', {
      doing: 'split',
      on: `pool ${pool.name} into ${count}`,
      says: `its blocks of /${pool.blockSize} would not fit into parts of /${length}`,
      mend: `split it into ${2 ** (pool.blockSize - pool.cidr.length)} at most; ${NOTHING_CHANGED}`,
    })
  return Array.from({ length: count }, (_, at) => ({
    ...pool,
    name: at === 0 ? pool.name : `${pool.name}-${at + 1}`,
    cidr: partAt(pool.cidr, length, at),
  }))
}

function partAt({ address }: Prefix, length: number, at: number): Prefix {
  return toPrefix(toIpv4(address + at * 2 ** (32 - length)), length)
}

function countFrom(text: string): number {
  const count = /^\d+$/.test(text) ? Number(text) : 0
  if (count >= 2 && count <= 256 && Number.isInteger(Math.log2(count))) return count
  throw failure('usage', {
    doing: 'use',
    on: `--into ${text}`,
    says: 'a pool is split into a power of two',
    mend: `write 2, 4, 8 and so on up to 256; ${NOTHING_CHANGED}`,
  })
}

function chosen(pools: readonly Stored<IpPool>[], name: string | undefined, cidr: string | undefined): Stored<IpPool> {
  const values = pools.map(({ value }) => value)
  if (name !== undefined || cidr !== undefined) {
    const found = pools.find(({ value }) => (name === undefined ? formatPrefix(value.cidr) === cidr : value.name === name))
    if (found !== undefined) return found
    throw noSuchPool('split', name ?? cidr ?? '', values)
  }
  const [only, ...others] = pools
  if (only !== undefined && others.length === 0) return only
  throw failure(only === undefined ? 'notFound' : 'usage', {
    doing: 'split',
    on: 'a pool without its name',
    says: only === undefined ? 'there are no pools' : `there are several: ${describe(values)}`,
    mend: `name one; ${NOTHING_CHANGED}`,
  })
}
