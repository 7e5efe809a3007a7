/** `calictl ipam show`: how full pools and blocks are, and who has an address. */

import { formatIpv4, type Ipv4, parseIpv4 } from '@network/base/net/ipv4.ts'
import { formatPrefix, samePrefix } from '@network/base/net/prefix.ts'
import { type IpamUsage, ipamUsage, type PoolUsage, type Who, whoHas } from '@network/datastore/ipam/usage.ts'
import type { Command } from 'commander'
import { type Act, type Context, type Result, show } from '../context.ts'
import { EXIT, type ExitCode, failure } from '../exit.ts'
import { examples } from '../help.ts'
import type { ReleaseOptions, ReserveOptions } from '../ipam/commands.ts'
import type { SplitOptions } from '../ipam/split.ts'
import { byName, reportJunk } from '../read.ts'
import { table } from '../render/table.ts'
import { blocksCell, freeCell, usedCell } from '../render/usage.ts'
import type { ChangeOptions } from '../resources/change.ts'
import { changing } from './verbs.ts'
import { type WatchOptions, watched } from './watching.ts'

export interface ShowOptions {
  readonly blocks?: true
  readonly showBlocks?: true
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
    .option('--show-blocks', 'the same, as calicoctl calls it')
    .option('--ip <address>', 'who has this address')
    .addHelpText('after', examples('calictl ipam show', 'calictl ipam show --blocks', 'calictl ipam show --ip 10.244.7.5'))
    .option('-w, --watch', 'go on, and show what changes')
    .action((options: ShowOptions & WatchOptions) => act(context => watched(context, options, seen => showIpam(seen, options))))
  ipam
    .command('check')
    .description('see whether blocks and those who use their addresses agree; exit 1 when not')
    .addHelpText('after', examples('calictl ipam check', 'calictl ipam check -o json'))
    .action(() => act(async context => (await import('../ipam/commands.ts')).showCheck(context)))
  ipam
    .command('release')
    .description('free addresses that nobody uses')
    .option('--ip <address>', 'this one; may be given more than once', collected)
    .option('--leaked', 'all that calictl ipam check calls leaked')
    .option('--force', 'even when somebody uses them')
    .option('--dry-run', 'show what would be changed, and change nothing')
    .addHelpText('after', examples('calictl ipam release --ip 10.244.7.5', 'calictl ipam release --leaked --dry-run'))
    .action((options: ReleaseOptions) =>
      act(async context => (await import('../ipam/commands.ts')).releaseAddresses(context, options)),
    )
  changing(ipam.command('reserve').description('keep addresses from being given to pods'))
    .argument('<cidrs...>', 'prefixes and addresses')
    .option('--name <name>', 'the IPReservation that they go into', 'reserved')
    .addHelpText('after', examples('calictl ipam reserve 10.244.0.0/28', 'calictl ipam reserve 10.244.7.1 --name routers'))
    .action((cidrs: readonly string[], options: ReserveOptions) =>
      act(async context => (await import('../ipam/commands.ts')).reserve(context, cidrs, options)),
    )
  addConfigure(ipam, act)
  ipam
    .command('split')
    .description('split a pool into several that together are it, while it is in use')
    .argument('[name]', 'the pool; may be left out when there is only one')
    .requiredOption('--into <count>', 'how many: 2, 4, 8 and so on')
    .option('--cidr <prefix>', 'the pool by its range instead of its name')
    .option('--dry-run', 'show what would be changed, and change nothing')
    .addHelpText('after', examples('calictl ipam split default --into 4 --dry-run'))
    .action((name: string | undefined, options: SplitOptions) =>
      act(async context => (await import('../ipam/split.ts')).split(context, name, options)),
    )
}

/** By its flag, the field of IPAMConfiguration; Calico's spelling too. */
const SETTINGS = {
  strictAffinity: 'strictAffinity',
  strictaffinity: 'strictAffinity',
  autoAllocateBlocks: 'autoAllocateBlocks',
  maxBlocksPerHost: 'maxBlocksPerHost',
  ipCooldownSeconds: 'ipCooldownSeconds',
} as const

type Settings = ChangeOptions & Partial<Record<keyof typeof SETTINGS, string>>

function addConfigure(ipam: Command, act: Act): void {
  changing(ipam.command('configure').description('show how addresses are given out, or change it'))
    .option('--strict-affinity <boolean>', 'false: a node that can claim no block borrows addresses of others')
    .option('--strictaffinity <boolean>', 'the same, as calicoctl calls it')
    .option('--auto-allocate-blocks <boolean>', 'nodes claim blocks by themselves')
    .option('--max-blocks-per-host <count>', 'most blocks that a node claims')
    .option('--ip-cooldown-seconds <seconds>', 'how long a released address rests; stored, and nothing acts upon it yet')
    .addHelpText('after', examples('calictl ipam configure', 'calictl ipam configure --strict-affinity false'))
    .action((options: Settings) =>
      act(async context => {
        const given = Object.entries(SETTINGS).flatMap(([flag, field]) => {
          const value = Object.entries(options).find(([name]) => name === flag)?.[1]
          return typeof value === 'string' ? [`${field}=${value}`] : []
        })
        if (given.length === 0) return (await import('../resources/get.ts')).getResources(context, ['ipamconfig'], {})
        const noun = { name: undefined, pairs: given, standing: 'default' }
        return (await import('../resources/noun.ts')).setNoun(context, 'ipamconfig', noun, options)
      }),
    )
}

function collected(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value]
}

async function showIpam(context: Context, { ip, ...which }: ShowOptions): Promise<ExitCode> {
  const blocks = which.blocks ?? which.showBlocks
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
