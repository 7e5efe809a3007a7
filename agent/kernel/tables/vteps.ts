/** Far ends of VXLAN tunnels: each a permanent neighbour and a forwarding entry on our device, written and removed together. */

import type { Writer } from '@network/base/bytes/writer.ts'
import type { Ipv4 } from '@network/base/net/ipv4.ts'
import type { Seen } from '@network/base/state/delta-map.ts'
import type { VtepIntent } from '@network/model/intent.ts'
import type { NetlinkClient } from '@network/netlink/client.ts'
import { deleteFdbEntry, FdbPattern, formatFdbEntry, setFdbEntry } from '@network/netlink/fdb.ts'
import type { IfIndex } from '@network/netlink/link.ts'
import { type MacWords, macWords } from '@network/netlink/mac.ts'
import { deleteNeighbour, NeighbourPattern, setNeighbour } from '@network/netlink/neighbour.ts'
import { type Changes, type Instruction, writeInstruction } from '@network/netlink/wire.ts'
import type { Devices } from '../devices.ts'
import type { Outcome, Step, Table } from '../table.ts'
import { outcomeOf, outcomesOf } from './outcomes.ts'
import { NOWHERE } from './places.ts'
import { isRight, isWish, type SeenVtep, VtepRows, WantedVteps } from './vtep-rows.ts'

export interface VtepTable extends Table<VtepIntent, SeenVtep> {
  /** Whether, as of the last look, packets via this address would find their way. */
  readonly has: (address: Ipv4) => boolean
}

/** The device is ours, and so is all that is on it. */
export function vtepTable(client: NetlinkClient, devices: Devices, device: string): VtepTable {
  let rows: VtepRows | undefined
  let last: { readonly wanted: ReadonlyMap<string, VtepIntent>; readonly vteps: WantedVteps } | undefined
  /** Of the same wish again and again, for as long as it lasts. */
  const vtepsOf = (wanted: ReadonlyMap<string, VtepIntent>) => {
    if (last?.wanted !== wanted) last = { wanted, vteps: new WantedVteps(wanted) }
    return last.vteps
  }
  return {
    name: 'vtep',
    list(wanted) {
      const link = devices.named(device)
      rows = link?.vxlan === undefined ? undefined : listed(client, link.index, vtepsOf(wanted))
      return rows ?? NOTHING
    },
    same: isRight,
    foreign: () => undefined,
    apply: steps => applyAll(client, devices, steps),
    describe,
    has: address => rows?.has(address) ?? false,
  }
}
const NOTHING: Seen<string, SeenVtep> = new Map()

function listed(client: NetlinkClient, link: IfIndex, vteps: WantedVteps): VtepRows {
  return new VtepRows(vteps, {
    link,
    neighbours: client.neighbourColumns('neighbours', link),
    entries: client.neighbourColumns('forwarding', link),
  })
}

function describe(have: SeenVtep): string {
  if (isWish(have)) return `neighbour ${have.mac} permanent`
  const { neighbour, entries } = have
  return [neighbour === undefined ? 'no neighbour' : `neighbour ${neighbour.mac ?? 'unresolved'} ${neighbour.state}`]
    .concat(entries.length === 0 ? 'no forwarding entry' : entries.map(entry => `forwarding ${formatFdbEntry(entry)}`))
    .join(', ')
}

/** Two changes a far end, all in one go; of one whose half was refused the other half is taken back. */
function applyAll(client: NetlinkClient, devices: Devices, steps: readonly Step<VtepIntent, SeenVtep>[]): Outcome[] {
  const changes = new VtepChanges()
  const outcomes = steps.map(({ want, have }, at): Outcome => {
    if (want === undefined) {
      if (have !== undefined) for (const instruction of removal(have, devices)) changes.push(instruction, at)
      return { is: 'done' }
    }
    const link = devices.named(want.device)
    if (link === undefined) return { is: 'waiting', says: `interface ${want.device} is not there` }
    changes.put(want, link.index, at)
    return { is: 'done' }
  })
  const undo: Instruction[] = []
  for (const [at, fault] of client.carryOut(changes)) {
    const outcome = outcomeOf(fault)
    const step = changes.stepOf(at)
    if (outcome.is === 'done' || outcomes[step]?.is !== 'done') continue
    outcomes[step] = outcome
    const want = steps[step]?.want
    if (want !== undefined) undo.push(...removal(want, devices))
  }
  outcomesOf(client, undo)
  return outcomes
}

function removal(have: SeenVtep, devices: Devices): Instruction[] {
  if (isWish(have)) {
    const link = devices.named(have.device)?.index
    return link === undefined ? [] : [deleteNeighbour(link, have.address), deleteFdbEntry(link, have.mac, have.remote)]
  }
  const { link, neighbour, entries } = have
  return [
    ...(neighbour === undefined ? [] : [deleteNeighbour(link, neighbour.address)]),
    ...entries.map(({ mac, remote }) => deleteFdbEntry(link, mac, remote)),
  ]
}

const HALF = { neighbour: 0, entry: 1 }

/** What is put is written without an object for each: its neighbour first, and then its forwarding entry. */
class VtepChanges implements Changes {
  readonly #items: (VtepIntent | Instruction)[] = []
  /** Which half of a far end it is, where the item is one. */
  readonly #halves: number[] = []
  readonly #steps: number[] = []
  #link: IfIndex | undefined
  #neighbours: NeighbourPattern | undefined
  #entries: FdbPattern | undefined
  #words: { readonly of: VtepIntent; readonly words: MacWords } | undefined

  get length(): number {
    return this.#items.length
  }

  push(instruction: Instruction, step: number): void {
    this.#items.push(instruction)
    this.#halves.push(HALF.neighbour)
    this.#steps.push(step)
  }

  /** As a rule all are on one link. */
  put(want: VtepIntent, link: IfIndex, step: number): void {
    if (this.#link === undefined) {
      this.#link = link
      this.#neighbours = new NeighbourPattern(link)
      this.#entries = new FdbPattern(link)
    }
    if (link === this.#link) {
      this.#items.push(want, want)
      this.#halves.push(HALF.neighbour, HALF.entry)
      this.#steps.push(step, step)
    } else {
      this.push(setNeighbour(link, want.address, want.mac), step)
      this.push(setFdbEntry(link, want.mac, want.remote), step)
    }
  }

  stepOf(at: number): number {
    return this.#steps[at] ?? NOWHERE
  }

  write(at: number, writer: Writer, sequence: number): void {
    const item = this.#items[at]
    if (item === undefined) return
    if ('write' in item) writeInstruction(writer, item, sequence)
    else if (this.#halves[at] === HALF.entry) this.#entries?.write(writer, this.#wordsOf(item), item.remote, sequence)
    else this.#neighbours?.write(writer, item.address, this.#wordsOf(item), sequence)
  }

  describe(at: number): { readonly doing: string; readonly on: string } {
    const instruction = this.#instructionAt(at)
    return { doing: instruction.doing, on: instruction.on() }
  }

  #instructionAt(at: number): Instruction {
    const item = this.#items[at]
    const link = this.#link
    if (item !== undefined && 'write' in item) return item
    if (item === undefined || link === undefined) throw new RangeError(`there is no change ${at}`)
    return this.#halves[at] === HALF.entry ? setFdbEntry(link, item.mac, item.remote) : setNeighbour(link, item.address, item.mac)
  }

  /** Both halves of a far end ask for them. */
  #wordsOf(want: VtepIntent): MacWords {
    if (this.#words?.of !== want) this.#words = { of: want, words: macWords(want.mac) }
    return this.#words.words
  }
}
