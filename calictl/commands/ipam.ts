/** `calictl ipam show`: how full pools and blocks are, and who has an address. */

import { formatIpv4, type Ipv4, parseIpv4 } from '@network/base/net/ipv4.ts'
import { formatPrefix, samePrefix } from '@network/base/net/prefix.ts'
import { type IpamUsage, ipamUsage, type PoolUsage, type Who, whoHas } from '@network/datastore/ipam/usage.ts'
import type { Command } from 'commander'
import { type Act, type Context, type Result, show } from '../context.ts'
import { EXIT, type ExitCode, failure } from '../exit.ts'
import { examples } from '../help.ts'
import { byName, reportJunk } from '../read.ts'
import { table } from '../render/table.ts'
import { blocksCell, freeCell, usedCell } from '../render/usage.ts'

export interface ShowOptions {
  readonly blocks?: true
  readonly ip?: string
}

export function addIpam(program: Command, act: Act): void {
  const ipam = program
    .command('ipam')
    .description('addresses of pods: what is used, and by whom')
    .addHelpText('after', examples('calictl ipam show --blocks'))
  ipam
    .command('show')
    .description('show how full pools are, their blocks, or who has one address')
    .option('--blocks', 'a line a block; with -o wide or json also who has which address of it')
    .option('--ip <address>', 'who has this address')
    .addHelpText('after', examples('calictl ipam show', 'calictl ipam show --blocks', 'calictl ipam show --ip 10.244.7.5'))
    .action((options: ShowOptions) => act(context => showIpam(context, options)))
}

export async function showIpam(context: Context, { ip, blocks }: ShowOptions): Promise<ExitCode> {
  const address = ip === undefined ? undefined : addressFrom(ip)
  if (address !== undefined && blocks) throw misused('--ip with --blocks', 'they ask for different things', 'give one of them')
  const usage = await ipamUsage(await context.store(), { signal: context.signal })
  reportJunk(context, usage.junk)
  await show(context, address === undefined ? (blocks ? blockResult(usage) : poolResult(usage)) : addressResult(usage, address))
  return EXIT.ok
}

function addressFrom(text: string): Ipv4 {
  const address = parseIpv4(text)
  if (address === undefined)
    throw misused(`--ip ${text}`, `"${text}" is not an IPv4 address`, 'write for example --ip 10.244.7.5')
  return address
}

function misused(on: string, says: string, mend: string) {
  return failure('usage', { doing: 'use', on, says, mend })
}

function poolResult({ pools }: IpamUsage): Result {
  const items = pools.toSorted(byName).map(pool => ({ ...pool, cidr: formatPrefix(pool.cidr) }))
  const document = { kind: 'IPAMPoolUsageList', items }
  if (pools.length === 0)
    return { document, text: 'There are no pools; make one: calictl ippool create default --cidr 10.244.0.0/16' }
  const head = ['POOL', 'CIDR', 'BLOCKS', 'USED', 'FREE']
  const sorted = pools.toSorted(byName)
  const cells = (pool: PoolUsage) => [pool.name, formatPrefix(pool.cidr), blocksCell(pool), usedCell(pool), freeCell(pool)]
  const more = ({ size, disabled }: PoolUsage) => [`${size}`, disabled ? 'disabled' : 'active']
  return {
    document,
    text: table(head, sorted.map(cells)),
    wide: () =>
      table(
        [...head, 'SIZE', 'STATE'],
        sorted.map(pool => [...cells(pool), ...more(pool)]),
      ),
  }
}

function blockResult({ blocks, addresses }: IpamUsage): Result {
  const items = blocks.map(block => ({
    ...block,
    cidr: formatPrefix(block.cidr),
    pool: block.pool ?? null,
    addresses: addresses
      .filter(one => samePrefix(one.block, block.cidr))
      .map(({ address, node, use, handle }) => ({ address: formatIpv4(address), node, use, handle })),
  }))
  const document = { kind: 'IPAMBlockUsageList', items }
  if (items.length === 0) return { document, text: 'No node has a block yet; a node claims one for its first address.' }
  const head = ['BLOCK', 'POOL', 'NODE', 'AFFINITY', 'USED', 'FREE']
  const cells = ({ cidr, pool, node, affinity, used, free }: (typeof items)[number]) => [
    cidr,
    pool ?? '',
    node,
    affinity,
    `${used}`,
    `${free}`,
  ]
  return {
    document,
    text: table(head, items.map(cells)),
    wide: () =>
      table(
        [...head, 'SIZE', 'WHO'],
        items.map(block => [...cells(block), `${block.size}`, whoCell(block.addresses)]),
      ),
  }
}

function whoCell(addresses: readonly { readonly address: string; readonly use: string }[]): string {
  return addresses.map(({ address, use }) => `${address} ${use}`).join(', ')
}

function addressResult(usage: IpamUsage, address: Ipv4): Result {
  const who = whoHas(usage, address)
  const text = formatIpv4(address)
  if (who.is === 'in-no-pool') throw inNoPool(usage, text)
  const { says, ...known } = told(who)
  return { document: { kind: 'IPAMAddress', address: text, state: who.is, ...known }, text: `${text} ${says}` }
}

function told(who: Exclude<Who, { is: 'in-no-pool' }>) {
  const nobody = { use: null, handle: null }
  switch (who.is) {
    case 'used': {
      const { use, node, handle } = who.by
      const block = formatPrefix(who.by.block)
      const pool = who.by.pool ?? null
      const says = `belongs to ${use} on node ${node} (block ${block}, pool ${pool ?? 'deleted'}, handle ${handle})`
      return { pool, block, node, use, handle, says }
    }
    case 'free': {
      const { node } = who.block
      const block = formatPrefix(who.block.cidr)
      const pool = who.block.pool ?? null
      return { pool, block, node, ...nobody, says: `is free, in a block of node ${node} (${block}, pool ${pool ?? 'deleted'})` }
    }
    case 'unclaimed':
      return {
        pool: who.pool,
        block: null,
        node: null,
        ...nobody,
        says: `is free, in a block of pool ${who.pool} that no node has claimed`,
      }
    default:
      return who satisfies never
  }
}

function inNoPool({ pools }: IpamUsage, address: string) {
  const known = pools.map(({ name, cidr }) => `${name} ${formatPrefix(cidr)}`)
  const mend = known.length > 0 ? `the pools are ${known.join(', ')}` : 'there are no pools; calictl ippool create makes one'
  return failure('notFound', { doing: 'find', on: `address ${address}`, says: 'it is in no pool', mend })
}
