/** Far ends of VXLAN tunnels: each a permanent neighbour and a forwarding entry on our device, written and removed together. */

import { formatIpv4, type Ipv4 } from '@network/base/net/ipv4.ts'
import type { VtepIntent } from '@network/model/intent.ts'
import type { NetlinkClient } from '@network/netlink/client.ts'
import { deleteFdbEntry, type FdbEntry, formatFdbEntry, setFdbEntry } from '@network/netlink/fdb.ts'
import type { IfIndex } from '@network/netlink/link.ts'
import { deleteNeighbour, type Neighbour, setNeighbour } from '@network/netlink/neighbour.ts'
import type { Instruction } from '@network/netlink/wire.ts'
import type { Devices } from '../devices.ts'
import type { Outcome, Step, Table } from '../table.ts'
import { outcomesOf } from './outcomes.ts'

/** What is found of a far end: one half may be missing, or be another's. */
export interface FoundVtep {
  readonly link: IfIndex
  readonly neighbour: Neighbour | undefined
  readonly entries: readonly FdbEntry[]
}

export interface VtepTable extends Table<VtepIntent, FoundVtep> {
  /** Whether, as of the last look, packets via this address would find their way. */
  readonly has: (address: Ipv4) => boolean
}

/** The device is ours, and so is all that is on it. */
export function vtepTable(client: NetlinkClient, devices: Devices, device: string): VtepTable {
  let ready: ReadonlySet<Ipv4> = new Set()
  return {
    name: 'vtep',
    list(wanted) {
      const link = devices.named(device)
      const found = link?.vxlan === undefined ? new Map<string, FoundVtep>() : listed(client, link.index, wanted)
      ready = new Set([...wanted].flatMap(([key, want]) => (isRight(want, found.get(key)) ? [want.address] : [])))
      return found
    },
    same: isRight,
    foreign: () => undefined,
    apply: steps => applyAll(client, devices, steps),
    describe: ({ neighbour, entries }) =>
      [neighbour === undefined ? 'no neighbour' : `neighbour ${neighbour.mac ?? 'unresolved'} ${neighbour.state}`]
        .concat(entries.length === 0 ? 'no forwarding entry' : entries.map(entry => `forwarding ${formatFdbEntry(entry)}`))
        .join(', '),
    has: address => ready.has(address),
  }
}

/** By neighbour; forwarding entries that belong to none have a key that nobody wants. */
function listed(client: NetlinkClient, link: IfIndex, wanted: ReadonlyMap<string, VtepIntent>): Map<string, FoundVtep> {
  const entries = Map.groupBy(client.forwardingEntries(link), entry => entry.mac)
  const found = new Map<string, FoundVtep>()
  const take = (mac: string | undefined) => {
    const taken = mac === undefined ? [] : (entries.get(mac) ?? [])
    if (mac !== undefined) entries.delete(mac)
    return taken
  }
  const neighbours = new Map(client.neighbours(link).map(each => [formatIpv4(each.address), each]))
  // Those wanted first: a node that has another tunnel address now has its MAC still, and so its entry.
  for (const [key, { mac }] of wanted) {
    const near = neighbours.get(key)
    const neighbour = near?.proxy === false ? near : undefined
    if (neighbour !== undefined || entries.has(mac)) found.set(key, { link, neighbour, entries: take(mac) })
  }
  // What the kernel notes of addresses that it looks for is its own affair.
  for (const [key, neighbour] of neighbours)
    if (!wanted.has(key) && !neighbour.proxy && neighbour.state === 'permanent')
      found.set(key, { link, neighbour, entries: take(neighbour.mac) })
  for (const [mac, strays] of entries) found.set(`forwarding ${mac}`, { link, neighbour: undefined, entries: strays })
  return found
}

function isRight(want: VtepIntent, have: FoundVtep | undefined): boolean {
  const [entry, ...others] = have?.entries ?? []
  return (
    have?.neighbour?.mac === want.mac &&
    have.neighbour.state === 'permanent' &&
    entry?.remote === want.remote &&
    entry.permanent &&
    others.length === 0
  )
}

/** Two instructions a far end, all in one go; of one whose half was refused the other half is taken back. */
function applyAll(client: NetlinkClient, devices: Devices, steps: readonly Step<VtepIntent, FoundVtep>[]): Outcome[] {
  const instructions: Instruction[] = []
  const prepared = steps.map(({ want, have }): Outcome | { readonly from: number; readonly to: number } => {
    const from = instructions.length
    if (want === undefined) {
      if (have !== undefined) instructions.push(...removal(have))
      return { from, to: instructions.length }
    }
    const link = devices.named(want.device)
    if (link === undefined) return { is: 'waiting', says: `interface ${want.device} is not there` }
    instructions.push(setNeighbour(link.index, want.address, want.mac), setFdbEntry(link.index, want.mac, want.remote))
    return { from, to: instructions.length }
  })
  const outcomes = outcomesOf(client, instructions)
  const undo: Instruction[] = []
  const answers = prepared.map((answer, at): Outcome => {
    if ('is' in answer) return answer
    const failed = outcomes.slice(answer.from, answer.to).find(({ is }) => is !== 'done')
    const want = steps[at]?.want
    const link = want === undefined ? undefined : devices.named(want.device)?.index
    if (failed !== undefined && want !== undefined && link !== undefined)
      undo.push(deleteNeighbour(link, want.address), deleteFdbEntry(link, want.mac, want.remote))
    return failed ?? { is: 'done' }
  })
  outcomesOf(client, undo)
  return answers
}

function removal({ link, neighbour, entries }: FoundVtep): Instruction[] {
  return [
    ...(neighbour === undefined ? [] : [deleteNeighbour(link, neighbour.address)]),
    ...entries.map(({ mac, remote }) => deleteFdbEntry(link, mac, remote)),
  ]
}
