/** `calictl ippool`: the ranges that pods get addresses from, and how packets to them travel. */

import { formatPrefix } from '@network/base/net/prefix.ts'
import { ipamUsage, type PoolUsage } from '@network/datastore/ipam/usage.ts'
import { IP_POOL, type IpPool } from '@network/model/resources/ip-pool.ts'
import type { Command } from 'commander'
import { type Act, type Context, type Result, show } from '../context.ts'
import { EXIT, type ExitCode } from '../exit.ts'
import { examples } from '../help.ts'
import { noSuchPool, tunnelFrom } from '../pools.ts'
import { table } from '../render/table.ts'
import { blocksCell, freeCell, usedCell } from '../render/usage.ts'
import { readRows, valuesOf } from '../resources/stock.ts'
import { listOfRows } from '../resources/view.ts'
import { type CreateOptions, makePool } from './ippool-create.ts'
import { removePool } from './ippool-delete.ts'
import { changePool, type SetOptions } from './ippool-set.ts'
import { nameAndPairs } from './noun.ts'

const NAT = 'pods reach what is outside of all pools with the address of their node'

export function addIppool(program: Command, act: Act): void {
  const ippool = program
    .command('ippool')
    .description('address ranges of pods, and how packets to them travel')
    .addHelpText('after', examples('calictl ippool get', 'calictl ippool set default --ipip CrossSubnet'))
  ippool
    .command('get')
    .alias('list')
    .description('show the pools')
    .argument('[name]', 'only this pool')
    .addHelpText('after', examples('calictl ippool get', 'calictl ippool get -o wide', 'calictl ippool get default -o yaml'))
    .action((name: string | undefined) => act(context => getPools(context, name)))
  ippool
    .command('set')
    .description('change how packets to the pods of a pool travel, and what else there is to a pool, on the running cluster')
    .argument('[name-and-fields...]', 'the pool, which may be left out when there is only one, then field=value')
    .option('--ipip <mode>', 'Always, CrossSubnet (only between subnets) or Never; takes VXLAN off')
    .option('--vxlan <mode>', 'Always, CrossSubnet (only between subnets) or Never; takes IPIP off')
    .option('--nat-outgoing', NAT)
    .option('--no-nat-outgoing', 'pods are heard with their own addresses everywhere')
    .option('--disabled <boolean>', 'no new addresses are taken from the pool')
    .option('--dry-run', 'show what would be changed, and change nothing')
    .option('--wait', 'wait until the agents that answer act on it', true)
    .option('--no-wait', 'return as soon as it is stored')
    .option('--timeout <seconds>', 'how long to wait', '30')
    .addHelpText('after', examples('calictl ippool set --ipip Never', 'calictl ippool set default --ipip CrossSubnet --no-wait'))
    .action((words: readonly string[], options: PoolOptions) => act(context => setPool(context, words, options)))
  ippool
    .command('create')
    .description('make a pool')
    .argument('<name>', 'name of the pool')
    .requiredOption('--cidr <prefix>', 'the addresses; no other pool may overlap them')
    .option('--ipip <mode>', 'Always, CrossSubnet or Never (default: Never)')
    .option('--vxlan <mode>', 'instead of --ipip: Always, CrossSubnet or Never (default: Never)')
    .option('--block-size <length>', 'length of the blocks that nodes claim, 20 to 32', '26')
    .option('--nat-outgoing', NAT)
    .addHelpText('after', examples('calictl ippool create default --cidr 10.244.0.0/16 --ipip CrossSubnet'))
    .action((name: string, options: CreateOptions) => act(context => makePool(context, name, options)))
  ippool
    .command('delete')
    .description('remove a pool that no pod has an address of')
    .argument('<name>', 'the pool')
    .addHelpText('after', examples('calictl ippool delete old'))
    .action((name: string) => act(context => removePool(context, name)))
}

type PoolOptions = SetOptions & {
  readonly disabled?: string
  readonly dryRun?: true
}

/** A change of how packets travel is followed to its end on every node; anything else is a change of fields. */
async function setPool(context: Context, words: readonly string[], options: PoolOptions): Promise<ExitCode> {
  const { ipip, vxlan, natOutgoing, disabled, dryRun } = options
  const { name, pairs } = nameAndPairs(words)
  const travels = [ipip, vxlan, natOutgoing].some(each => each !== undefined)
  if (travels && pairs.length === 0 && disabled === undefined && dryRun !== true) return changePool(context, name, options)
  const fields = Object.entries({ ...tunnelFrom(context, options), natOutgoing, disabled })
  const all = [...pairs, ...fields.flatMap(([field, value]) => (value === undefined ? [] : [`${field}=${value}`]))]
  return (await import('../resources/noun.ts')).setNoun(context, 'ippools', { name, pairs: all }, options)
}

async function getPools(context: Context, name: string | undefined): Promise<ExitCode> {
  const all = await readRows(context, IP_POOL)
  const rows = all.filter(({ document }) => name === undefined || document.metadata.name === name)
  if (name !== undefined && rows.length === 0) throw noSuchPool('show', name, valuesOf(IP_POOL, all))
  const [one] = rows
  const document = name !== undefined && one !== undefined ? one.document : listOfRows([IP_POOL], rows)
  const wanted = valuesOf(IP_POOL, rows)
  if (wanted.length === 0)
    await show(context, { document, text: 'There are no pools; make one: calictl ippool create default --cidr 10.244.0.0/16' })
  else await show(context, { document, ...(await poolTables(context, wanted)) })
  return EXIT.ok
}

async function poolTables(context: Context, pools: readonly IpPool[]): Promise<Pick<Result, 'text' | 'wide'>> {
  const text = table(HEAD, pools.map(cellsOf))
  if (context.format !== 'wide') return { text }
  const usage = (await ipamUsage(await context.store(), { signal: context.signal })).pools
  const rows = pools.map(pool => [...cellsOf(pool), ...usageCells(usage.find(({ name }) => name === pool.name))])
  return { text, wide: () => table([...HEAD, 'BLOCKS', 'USED', 'FREE'], rows) }
}

const HEAD = ['NAME', 'CIDR', 'IPIP', 'VXLAN', 'BLOCK', 'STATE']

function cellsOf({ name, cidr, ipipMode, vxlanMode, blockSize, disabled }: IpPool): readonly string[] {
  return [name, formatPrefix(cidr), ipipMode, vxlanMode, `/${blockSize}`, disabled ? 'disabled' : 'active']
}

/** A pool may have come between the two looks. */
function usageCells(usage: PoolUsage | undefined): readonly string[] {
  return usage === undefined ? ['', '', ''] : [blocksCell(usage), usedCell(usage), freeCell(usage)]
}
