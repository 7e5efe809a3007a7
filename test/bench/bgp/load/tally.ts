/** What a client has of what it should have: a bit for each prefix, so that neither duplicates nor losses can pass for progress. */
import type { PrefixPlan } from './prefix-plan.ts'

const HEADER_LENGTH = 19
const MED = 4
const EXTENDED_LENGTH = 0x10
/** Every so manieth UPDATE of a client has all its attributes looked at. */
const INSPECT_EVERY = 61

/** What all clients of a run expect. */
export interface Expectation {
  readonly plan: PrefixPlan
  /** The MED that counts; routes of another version are stale. */
  version: number
  /** What is wrong with the attributes of a route, undefined when they are as they should be. */
  readonly inspect: (attributes: Uint8Array, slot: number) => string | undefined
}

/** Of all clients together; only `present` in a tally is progress. */
export class Counters {
  bytes = 0
  updates = 0
  announced = 0
  withdrawn = 0
  /** Announced in the version that was there already, or withdrawn without being there. */
  duplicates = 0
  stale = 0
  /** A client's own routes, told to it. */
  echoes = 0
  /** Prefixes that nobody announced. */
  strange = 0
  inspected = 0
  /** Code and subcode of the last NOTIFICATION. */
  notification: string | undefined
  /** The first words about attributes that were wrong. */
  wrong: string | undefined

  reset(): void {
    Object.assign(this, new Counters())
  }
}

export class Tally {
  present = 0
  target = 0
  readonly #expectation: Expectation
  readonly #counters: Counters
  readonly #bits: Uint32Array
  /** Slots that the client announces itself. */
  readonly #own: { readonly from: number; readonly to: number }
  #toInspection = 1

  constructor(expectation: Expectation, counters: Counters, own: { readonly from: number; readonly to: number }) {
    this.#expectation = expectation
    this.#counters = counters
    this.#own = own
    this.#bits = new Uint32Array(Math.ceil(expectation.plan.slots / 32))
  }

  get complete(): boolean {
    return this.present === this.target
  }

  forget(): void {
    this.#bits.fill(0)
    this.present = 0
    this.inspectNext()
  }

  /** Has all attributes of the next announcement looked at. */
  inspectNext(): void {
    this.#toInspection = 1
  }

  /** Takes an UPDATE that lies in `bytes`; what is malformed in it, undefined when nothing is. RFC 4271 §4.3. */
  update(bytes: Uint8Array, from: number, to: number): string | undefined {
    this.#counters.updates++
    const withdrawn = from + HEADER_LENGTH + 2
    if (withdrawn + 2 > to) return 'an UPDATE without room for its lengths'
    const withdrawnEnd = withdrawn + u16(bytes, withdrawn - 2)
    if (withdrawnEnd + 2 > to) return 'withdrawn routes that end outside their UPDATE'
    const attributes = withdrawnEnd + 2
    const attributesEnd = attributes + u16(bytes, withdrawnEnd)
    if (attributesEnd > to) return 'attributes that end outside their UPDATE'
    if (!this.#withdrawals(bytes, withdrawn, withdrawnEnd)) return 'a withdrawn prefix that is cut off'
    if (attributesEnd === to) return undefined
    const version = versionIn(bytes, attributes, attributesEnd)
    if (!this.#announcements(bytes, attributesEnd, to, version)) return 'an announced prefix that is cut off'
    if (--this.#toInspection === 0) this.#inspect(bytes.subarray(attributes, attributesEnd), bytes, attributesEnd)
    return undefined
  }

  #announcements(bytes: Uint8Array, from: number, to: number, version: number): boolean {
    const { plan } = this.#expectation
    const counters = this.#counters
    const isStale = version !== this.#expectation.version
    let at = from
    while (at < to) {
      const length = bytes[at] ?? 0
      const next = at + 1 + ((length + 7) >> 3)
      if (length > 32 || next > to) return false
      const slot = plan.slotOf(addressAt(bytes, at + 1, length), length)
      at = next
      counters.announced++
      if (slot < 0) counters.strange++
      else if (slot >= this.#own.from && slot < this.#own.to) counters.echoes++
      else if (isStale) this.#outdated(slot)
      else this.#add(slot)
    }
    return true
  }

  #withdrawals(bytes: Uint8Array, from: number, to: number): boolean {
    const { plan } = this.#expectation
    const counters = this.#counters
    let at = from
    while (at < to) {
      const length = bytes[at] ?? 0
      const next = at + 1 + ((length + 7) >> 3)
      if (length > 32 || next > to) return false
      const slot = plan.slotOf(addressAt(bytes, at + 1, length), length)
      at = next
      counters.withdrawn++
      if (slot < 0) counters.strange++
      else if (slot >= this.#own.from && slot < this.#own.to) counters.echoes++
      else this.#remove(slot)
    }
    return true
  }

  #add(slot: number): void {
    const word = slot >>> 5
    const bit = 1 << (slot & 31)
    const before = this.#bits[word] ?? 0
    if ((before & bit) !== 0) {
      this.#counters.duplicates++
      return
    }
    this.#bits[word] = before | bit
    this.present++
  }

  #remove(slot: number): void {
    const word = slot >>> 5
    const bit = 1 << (slot & 31)
    const before = this.#bits[word] ?? 0
    if ((before & bit) === 0) {
      this.#counters.duplicates++
      return
    }
    this.#bits[word] = before & ~bit
    this.present--
  }

  /** An old version takes the place of whatever was there. */
  #outdated(slot: number): void {
    this.#counters.stale++
    if (((this.#bits[slot >>> 5] ?? 0) & (1 << (slot & 31))) !== 0) this.#remove(slot)
  }

  #inspect(attributes: Uint8Array, bytes: Uint8Array, prefix: number): void {
    this.#toInspection = INSPECT_EVERY
    const length = bytes[prefix] ?? 0
    const slot = this.#expectation.plan.slotOf(addressAt(bytes, prefix + 1, length), length)
    if (slot < 0) return
    this.#counters.inspected++
    this.#counters.wrong ??= this.#expectation.inspect(attributes, slot)
  }
}

function versionIn(bytes: Uint8Array, from: number, to: number): number {
  let at = from
  while (at + 3 <= to) {
    const isLong = ((bytes[at] ?? 0) & EXTENDED_LENGTH) !== 0
    const value = at + (isLong ? 4 : 3)
    if (bytes[at + 1] === MED) return addressAt(bytes, value, 32)
    at = value + (isLong ? u16(bytes, at + 2) : (bytes[at + 2] ?? 0))
  }
  return -1
}

function u16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)
}

/** The octets of a prefix as an unsigned number; those that its length leaves out are zero. */
function addressAt(bytes: Uint8Array, at: number, length: number): number {
  let address = 0
  if (length > 0) address = (bytes[at] ?? 0) << 24
  if (length > 8) address |= (bytes[at + 1] ?? 0) << 16
  if (length > 16) address |= (bytes[at + 2] ?? 0) << 8
  if (length > 24) address |= bytes[at + 3] ?? 0
  return address >>> 0
}
