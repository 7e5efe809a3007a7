/** What a VXLAN device has: neighbours and forwarding entries, as far ends. */

import { formatIpv4, type Ipv4, toIpv4 } from '@network/base/net/ipv4.ts'
import type { Seen } from '@network/base/state/delta-map.ts'
import type { VtepIntent } from '@network/model/intent.ts'
import { type FdbEntry, isPermanent } from '@network/netlink/fdb.ts'
import type { IfIndex } from '@network/netlink/link.ts'
import { formatMacWords, macWords } from '@network/netlink/mac.ts'
import { type Neighbour, stateOf } from '@network/netlink/neighbour.ts'
import type { NeighbourColumns } from '@network/netlink/neighbour-columns.ts'
import { NOWHERE, Places } from './places.ts'

/** What is found of a far end that is not as somebody wants it: one half may be missing, or be another's. */
export interface FoundVtep {
  readonly link: IfIndex
  readonly neighbour: Neighbour | undefined
  readonly entries: readonly FdbEntry[]
}

/** A far end that is as wanted is the wish itself: there are thousands. */
export type SeenVtep = VtepIntent | FoundVtep

export function isWish(have: SeenVtep): have is VtepIntent {
  return 'mac' in have
}

export function isRight(want: VtepIntent, have: SeenVtep): boolean {
  if (have === want) return true
  if (isWish(have))
    return have.mac === want.mac && have.address === want.address && have.remote === want.remote && have.device === want.device
  const [entry, ...others] = have.entries
  return (
    have.neighbour?.mac === want.mac &&
    have.neighbour.state === 'permanent' &&
    entry?.remote === want.remote &&
    entry.permanent &&
    others.length === 0
  )
}

/** Wanted far ends by number: each has a place, in the order in which they are wanted. */
export class WantedVteps {
  readonly keys: readonly string[]
  readonly wants: readonly VtepIntent[]
  /** Two words each. */
  readonly #macs: Int32Array
  readonly #byAddress: Places
  readonly #byMac: Places

  constructor(wanted: ReadonlyMap<string, VtepIntent>) {
    this.keys = [...wanted.keys()]
    this.wants = [...wanted.values()]
    this.#macs = new Int32Array(wanted.size * 2)
    this.#byAddress = new Places(wanted.size)
    this.#byMac = new Places(wanted.size)
    this.wants.forEach(({ address, mac }, place) => {
      const { high, low } = macWords(mac)
      this.#macs[place * 2] = high
      this.#macs[place * 2 + 1] = low
      this.#byAddress.put(address, 0, place)
      this.#byMac.put(high, low, place)
    })
  }

  macHighAt(place: number): number {
    return this.#macs[place * 2] ?? 0
  }

  macLowAt(place: number): number {
    return this.#macs[place * 2 + 1] ?? 0
  }

  /** NOWHERE when no such far end is wanted. */
  placeOfAddress(address: number): number {
    return this.#byAddress.find(address, 0)
  }

  /** Of the first one, where several are wanted with one hardware address. */
  placeOfMac(high: number, low: number): number {
    return this.#byMac.find(high, low)
  }
}

/** The two lists of a device's kernel tables. */
export interface VtepColumns {
  readonly link: IfIndex
  readonly neighbours: NeighbourColumns
  readonly entries: NeighbourColumns
}

/** By neighbour; forwarding entries that belong to none have a key that nobody wants. */
export class VtepRows implements Seen<string, SeenVtep> {
  readonly #wanted: WantedVteps
  readonly #columns: VtepColumns
  /** By place: which neighbour it is, and which entry, and how many of these. */
  readonly #neighbourAt: Int32Array
  readonly #entryAt: Int32Array
  readonly #entryCount: Int32Array
  readonly #isRight: Uint8Array
  readonly #strayNeighbours: number[] = []
  readonly #strayEntries: number[] = []

  constructor(wanted: WantedVteps, columns: VtepColumns) {
    const count = wanted.wants.length
    this.#wanted = wanted
    this.#columns = columns
    this.#neighbourAt = new Int32Array(count).fill(NOWHERE)
    this.#entryAt = new Int32Array(count).fill(NOWHERE)
    this.#entryCount = new Int32Array(count)
    this.#isRight = new Uint8Array(count)
    this.#placeNeighbours()
    this.#placeEntries()
    wanted.wants.forEach((want, place) => {
      this.#isRight[place] = this.#isRightAt(place, want) ? 1 : 0
    })
  }

  /** Whether packets via this address would find their way. */
  has(address: Ipv4): boolean {
    return this.#isRight[this.#wanted.placeOfAddress(address)] === 1
  }

  forEach(visit: (have: SeenVtep, key: string) => void): void {
    const wrong = new Map<string, FdbEntry[]>()
    const leftOver = this.#strayEntries.map(row => this.#entry(row))
    for (const entry of leftOver) wrong.set(entry.mac, [...(wrong.get(entry.mac) ?? []), entry])
    this.#wanted.wants.forEach((want, place) => {
      const key = this.#wanted.keys[place]
      if (key === undefined) return
      if (this.#isRight[place] === 1) visit(want, key)
      else this.#visitWrong(place, key, visit)
    })
    this.#visitUnwanted(wrong, visit)
  }

  #visitWrong(place: number, key: string, visit: (have: SeenVtep, key: string) => void): void {
    const row = this.#neighbourAt[place] ?? NOWHERE
    const neighbour = row === NOWHERE ? undefined : this.#neighbour(row)
    const entries = this.#entriesAt(place)
    if (neighbour !== undefined || entries.length > 0) visit({ link: this.#columns.link, neighbour, entries }, key)
  }

  #visitUnwanted(entries: Map<string, FdbEntry[]>, visit: (have: SeenVtep, key: string) => void): void {
    const { link } = this.#columns
    for (const row of this.#strayNeighbours) {
      const neighbour = this.#neighbour(row)
      const taken = entries.get(neighbour.mac ?? '') ?? []
      entries.delete(neighbour.mac ?? '')
      visit({ link, neighbour, entries: taken }, formatIpv4(neighbour.address))
    }
    for (const [mac, strays] of entries) visit({ link, neighbour: undefined, entries: strays }, `forwarding ${mac}`)
  }

  /** What the kernel notes of addresses that it looks for is its own affair, and so is what it answers for. */
  #placeNeighbours(): void {
    const { neighbours } = this.#columns
    for (let row = 0; row < neighbours.length; row++) {
      const place = this.#wanted.placeOfAddress(neighbours.addressAt(row))
      if (neighbours.isProxy(row)) continue
      if (place !== NOWHERE) this.#neighbourAt[place] = row
      else if (neighbours.isPermanent(row)) this.#strayNeighbours.push(row)
    }
  }

  /** A node that has another tunnel address now has its MAC still, and so its entry. */
  #placeEntries(): void {
    const { entries } = this.#columns
    for (let row = 0; row < entries.length; row++) {
      const place = this.#wanted.placeOfMac(entries.macHighAt(row), entries.macLowAt(row))
      if (place === NOWHERE) this.#strayEntries.push(row)
      else {
        this.#entryAt[place] = row
        this.#entryCount[place] = (this.#entryCount[place] ?? 0) + 1
      }
    }
  }

  #isRightAt(place: number, want: VtepIntent): boolean {
    const { neighbours, entries } = this.#columns
    const near = this.#neighbourAt[place] ?? NOWHERE
    const entry = this.#entryAt[place] ?? NOWHERE
    if (near === NOWHERE || this.#entryCount[place] !== 1) return false
    return (
      neighbours.hasMac(near) &&
      neighbours.macHighAt(near) === this.#wanted.macHighAt(place) &&
      neighbours.macLowAt(near) === this.#wanted.macLowAt(place) &&
      neighbours.isPermanent(near) &&
      entries.ipv4At(entry) === want.remote &&
      isPermanent(entries.stateAt(entry))
    )
  }

  /** More than one is rare, and then all are looked through. */
  #entriesAt(place: number): FdbEntry[] {
    const count = this.#entryCount[place] ?? 0
    const row = this.#entryAt[place] ?? NOWHERE
    if (count === 0) return []
    if (count === 1) return [this.#entry(row)]
    const { entries } = this.#columns
    const found: FdbEntry[] = []
    for (let at = 0; at < entries.length; at++)
      if (this.#wanted.placeOfMac(entries.macHighAt(at), entries.macLowAt(at)) === place) found.push(this.#entry(at))
    return found
  }

  #neighbour(row: number): Neighbour {
    const { link, neighbours } = this.#columns
    return {
      link,
      address: toIpv4(neighbours.addressAt(row)),
      mac: neighbours.hasMac(row) ? formatMacWords(neighbours.macHighAt(row), neighbours.macLowAt(row)) : undefined,
      state: stateOf(neighbours.stateAt(row)),
      proxy: false,
    }
  }

  #entry(row: number): FdbEntry {
    const { link, entries } = this.#columns
    return {
      link,
      mac: formatMacWords(entries.macHighAt(row), entries.macLowAt(row)),
      remote: entries.ipv4At(row),
      permanent: isPermanent(entries.stateAt(row)),
    }
  }
}
