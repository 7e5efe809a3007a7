/** What `calictl ipam check`, `release`, `reserve`, `configure` and `split` do. */

import { formatIpv4, type Ipv4, parseIpv4 } from '@network/base/net/ipv4.ts'
import { contains } from '@network/base/net/prefix.ts'
import { sleep } from '@network/base/time/clock.ts'
import { millis } from '@network/base/time/units.ts'
import { ordinalOf, release } from '@network/datastore/ipam/blocks.ts'
import { listOf, updateOf } from '@network/datastore/records.ts'
import { IPAM_BLOCK } from '@network/model/resources/ipam-block.ts'
import { API_VERSION } from '@network/model/resources/kind.ts'
import { type Context, show } from '../context.ts'
import { EXIT, type ExitCode, failure } from '../exit.ts'
import { table } from '../render/table.ts'
import type { ChangeOptions } from '../resources/change.ts'
import { change, rewritten, typedWish } from '../resources/change.ts'
import { readRows } from '../resources/stock.ts'
import { kindFrom } from '../resources/which.ts'
import { checkIpam, leakedIn, type Taken } from './check.ts'
import { readState } from './state.ts'

export async function showCheck(context: Context): Promise<ExitCode> {
  const checked = checkIpam(await readState(context))
  const { blocks, allocations, used, problems } = checked
  const verdict = `${blocks} blocks, ${allocations} addresses taken, ${used} used: ${problems.length === 0 ? 'all agree' : `${problems.length} problems`}`
  const rows = problems.map(({ is, at, says, mend }) => [is, at, says, mend])
  const text = problems.length === 0 ? verdict : `${verdict}\n\n${table(['PROBLEM', 'WHERE', 'WHAT', 'MEND'], rows)}`
  await show(context, { document: { kind: 'IPAMCheck', ...checked }, text })
  return problems.length === 0 ? EXIT.ok : EXIT.unhealthy
}

export interface ReleaseOptions {
  readonly ip?: readonly string[]
  readonly leaked?: true
  readonly force?: true
  readonly dryRun?: true
}

/** Frees addresses in their blocks; those that somebody uses only with `--force`. */
export async function releaseAddresses(context: Context, options: ReleaseOptions): Promise<ExitCode> {
  const named = (options.ip ?? []).map(addressFrom)
  if (named.length === 0 && options.leaked !== true)
    throw failure('usage', {
      doing: 'release',
      on: 'addresses',
      says: 'none is given',
      mend: 'write --ip with each, or --leaked; nothing was changed',
    })
  const state = await readState(context)
  const isHasty = options.dryRun === true || options.force === true
  const leaked = isHasty ? leakedIn(state) : await leakedForSome(context, leakedIn(state))
  const wanted = options.leaked === true ? leaked.map(({ address }) => address) : named
  const chosen: Taken[] = []
  for (const address of wanted) {
    const block = state.blocks.find(({ cidr }) => contains(cidr, address))
    const taken = block?.allocations.get(ordinalOf(block.cidr, address))
    if (taken === undefined)
      throw failure('notFound', {
        doing: 'release',
        on: formatIpv4(address),
        says: 'it is free already',
        mend: 'calictl ipam show --ip tells about it; nothing was changed',
      })
    chosen.push({ address, allocation: taken })
    if (options.force !== true && !leaked.some(one => one.address === address))
      throw failure('refused', {
        doing: 'release',
        on: formatIpv4(address),
        says: `${taken.use} on node ${taken.node} uses it`,
        mend: 'delete the pod, or add --force, and another pod may get the address; nothing was changed',
      })
  }
  if (options.dryRun !== true) for (const one of chosen) await releaseOne(context, one)
  const items = wanted.map(formatIpv4)
  const done = options.dryRun === true ? ' (dry run)' : ''
  const text = items.length === 0 ? 'nothing is leaked' : items.map(address => `${address} released${done}`).join('\n')
  await show(context, { document: { kind: 'IPAMRelease', items: items.map(address => ({ address })) }, text })
  return EXIT.ok
}

function addressFrom(text: string): Ipv4 {
  const address = parseIpv4(text)
  if (address !== undefined) return address
  throw failure('usage', {
    doing: 'use',
    on: `--ip ${text}`,
    says: `"${text}" is not an IPv4 address`,
    mend: 'write for example --ip 10.244.7.5',
  })
}

/** An agent takes an address, wires the pod, and only then says whose it is. */
const BEING_STARTED = millis(2000)

/** Those of the leaked that still are after a while: what is not may be of pods that were just being started. */
async function leakedForSome(context: Context, first: readonly Taken[]): Promise<readonly Taken[]> {
  if (first.length === 0) return first
  await sleep(context.clock, BEING_STARTED, context.signal)
  const then = new Map(first.map(({ address, allocation: { handle } }) => [address, handle]))
  return leakedIn(await readState(context)).filter(({ address, allocation: { handle } }) => then.get(address) === handle)
}

const ATTEMPTS = 50

/** Frees an address of whoever had it then; if another has it by now, it is his. */
async function releaseOne(context: Context, { address, allocation: { handle } }: Taken): Promise<void> {
  const store = await context.store()
  for (let tried = 0; tried < ATTEMPTS; tried++) {
    const { read } = await listOf(store, IPAM_BLOCK, context)
    const block = read.find(({ value }) => contains(value.cidr, address))
    const allocation = block?.value.allocations.get(ordinalOf(block.value.cidr, address))
    if (block === undefined || allocation?.handle !== handle) return
    const { block: value } = release(block.value, one => one === allocation)
    const { revision, document } = block
    if ((await updateOf(store, IPAM_BLOCK, { value, revision, document }, context)).is === 'written') return
  }
  throw failure('refused', {
    doing: 'release',
    on: formatIpv4(address),
    says: 'its block is changed all the time',
    mend: 'try again',
  })
}

export interface ReserveOptions extends ChangeOptions {
  readonly name: string
}

/** Keeps addresses from being given out; those that pods have stay with them. */
export async function reserve(
  context: Context,
  cidrs: readonly string[],
  { name, ...options }: ReserveOptions,
): Promise<ExitCode> {
  const kind = kindFrom('ipreservations')
  const row = (await readRows(context, kind)).find(({ document }) => document.metadata.name === name)
  const document = { apiVersion: API_VERSION, kind: kind.kind, metadata: { name }, spec: { reservedCIDRs: cidrs } }
  const parsed = kind.parse(document)
  if (!parsed.ok) {
    const says = parsed.problems.map(({ at, says }) => `${at}: ${says}`).join('; ')
    throw failure('usage', { doing: 'reserve', on: cidrs.join(', '), says, mend: 'nothing was changed' })
  }
  if (row === undefined) return change(context, 'create', [typedWish(kind, kind.keyOf(parsed.value), parsed.document)], options)
  // As the kind writes them: an address that is reserved already may have been typed without its length.
  const all = [...new Set([row.document, parsed.document].flatMap(({ spec }) => spec['reservedCIDRs']))]
  const next = { ...row.document, spec: { ...row.document.spec, reservedCIDRs: all } }
  return change(context, 'patch', [rewritten(context, 'reserve', row, next)], options)
}
