/** What becomes of each attribute set on its way to the members of a group, and who is left out. RFC 4271 §9.1.3, §5.1.3; RFC 4456 §8. */
import type { AnyAddress } from '@network/base/net/any-address.ts'
import type { AnyPrefix } from '@network/base/net/any-prefix.ts'
import { isLinkLocal } from '@network/base/net/ipv6.ts'
import { type Attributes, NOWHERE } from '../attributes/attributes.ts'
import { speaks } from '../attributes/multiprotocol.ts'
import { maySkim, writeReflected } from '../attributes/skim.ts'
import type { AttributeSet } from '../rib/attribute-set.ts'
import { grownInt32 } from '../rib/byte-table.ts'
import type { Rib } from '../rib/rib.ts'
import { IPV4_UNICAST, IPV6_UNICAST } from '../wire/capabilities.ts'
import type { Dialect } from '../wire/dialect.ts'
import { advertised, isReflected, type Outlet } from './advertise.ts'
import type { Exclusions } from './audience.ts'
import { OutSets } from './out-sets.ts'
import type { Packer, Saying } from './packer.ts'

export const NOT_TOLD = -1
const UNKNOWN = -2
const TOO_LARGE = -3

/** What a wording is made for. */
interface Setting {
  readonly outlet: Outlet
  readonly dialect: Dialect
  readonly packer: Packer
  readonly exclusions: Exclusions
}

export class Wording {
  readonly #outlet: Outlet
  readonly #rib: Rib
  readonly #packer: Packer
  readonly #exclusions: Exclusions
  readonly #outs: OutSets
  /** Members by address, absent ones too: a route that points at one is not told to it. */
  readonly #slotAt = new Map<AnyAddress, number>()
  readonly #hopsSaid = new Set<AnyAddress>()
  /** Routes of both families may share an attribute set, and part on their way out. */
  readonly #four = new Fates()
  readonly #six = new Fates()
  readonly #oversized: number[] = []
  readonly #scratch = new Uint8Array(4096)
  readonly #mayReflect: boolean
  readonly #speaksFour: boolean
  readonly #speaksSix: boolean
  readonly #speaksOver: boolean

  constructor(rib: Rib, { outlet, dialect, packer, exclusions }: Setting) {
    this.#outlet = outlet
    this.#rib = rib
    this.#packer = packer
    this.#exclusions = exclusions
    this.#outs = new OutSets(dialect, rib.seed)
    this.#mayReflect = outlet.policy === undefined && outlet.hops?.ipv4 !== 'self-always' && maySkim(dialect)
    this.#speaksFour = speaks(dialect, IPV4_UNICAST)
    this.#speaksSix = speaks(dialect, IPV6_UNICAST)
    this.#speaksOver = dialect.multiprotocol?.ipv6NextHop === true
  }

  /** Before attribute sets with numbers up to this are looked at. */
  makeRoom(sets: number): void {
    this.#four.makeRoom(sets)
    if (this.#speaksSix) this.#six.makeRoom(sets)
  }

  /** Who does not hear of a prefix of a family with an attribute set that is told. */
  exclusionOf(six: boolean, set: number): number {
    return (six ? this.#six : this.#four).exclusionOf[set] ?? 0
  }

  saying(out: number): Saying {
    return this.#outs.saying(out)
  }

  /** A member has this address from now on; true when something that was said points at it. */
  meet(slot: number, address: AnyAddress): boolean {
    if (this.#slotAt.get(address) === slot) return false
    this.#slotAt.set(address, slot)
    return this.#hopsSaid.has(address)
  }

  /** Nothing that is known of attribute sets holds any more. */
  forgetAll(): void {
    for (const { outOf } of [this.#four, this.#six]) outOf.fill(UNKNOWN)
  }

  forget(set: number): void {
    this.#four.outOf[set] = UNKNOWN
    this.#six.outOf[set] = UNKNOWN
  }

  /** These members are gone, and so is what was known of sets that leave one of them out. */
  forgetSlots(gone: ReadonlySet<number>, named: ReadonlySet<number>): void {
    for (const [address, slot] of this.#slotAt) if (gone.has(slot)) this.#slotAt.delete(address)
    for (const { outOf, exclusionOf } of [this.#four, this.#six])
      for (let set = 0; set < outOf.length; set++) if (named.has(exclusionOf[set] ?? 0)) outOf[set] = UNKNOWN
  }

  /** Routes whose attributes fit in no message, since the last call. */
  takeOversized(): readonly AnyPrefix[] {
    return this.#oversized.splice(0).map(id => this.#rib.prefixes.prefix(id))
  }

  /** The number of what is said of a prefix, or NOT_TOLD. Without a policy it is the same for all prefixes of a family and an attribute set. Hot. */
  outFor(id: number, set: number, six = this.#rib.prefixes.isSix(id)): number {
    const { outOf } = six ? this.#six : this.#four
    const known = outOf[set] ?? UNKNOWN
    if (known === TOO_LARGE) this.#oversized.push(id)
    if (known !== UNKNOWN) return this.#isSpoken(six, known) ? known : NOT_TOLD
    if (six && !this.#speaksSix) return NOT_TOLD
    const attributeSet = this.#rib.sets.get(set)
    if (attributeSet === undefined) return NOT_TOLD
    const spliced = attributeSet.isPlain && this.#mayReflect ? this.#reflect(attributeSet) : UNKNOWN
    if (spliced !== UNKNOWN) {
      outOf[set] = spliced
      return this.#isSpoken(six, spliced) ? spliced : NOT_TOLD
    }
    const attributes = this.attributesFor(id, attributeSet)
    const out = attributes === undefined ? NOT_TOLD : this.#encode(id, attributes, attributeSet)
    if (this.#outlet.policy === undefined) outOf[set] = out
    return this.#isSpoken(six, out) ? out : NOT_TOLD
  }

  attributesFor(id: number, { attributes, source }: AttributeSet): Attributes | undefined {
    const outlet = this.#outlet
    const said = advertised(attributes, source, outlet, this.#rib.prefixes.isSix(id))
    if (said === undefined || outlet.policy === undefined) return said
    return outlet.policy.apply(this.#rib.prefixes.prefix(id), said, source)
  }

  #encode(id: number, attributes: Attributes, set: AttributeSet): number {
    const isWide = attributes.nextHop6 !== undefined
    const out = this.#outs.of(attributes)
    if (!this.#packer.fits(this.#outs.octetsOf(out), isWide)) {
      this.#oversized.push(id)
      return TOO_LARGE
    }
    this.#leaveOut(this.#rib.prefixes.isSix(id) ? this.#six : this.#four, set, pointOf(attributes))
    return out
  }

  /** Plain attributes are reflected by their bytes; UNKNOWN: they are to be read. */
  #reflect(set: AttributeSet): number {
    const { source, id, nextHop } = set
    const { clusterId } = this.#outlet
    if (source.kind !== 'internal') return UNKNOWN
    if (!isReflected(source, this.#outlet)) return NOT_TOLD
    const block = this.#rib.sets.bytesOf(id)
    if (!this.#packer.fits(block.length + 14, false) || block.length + 14 > this.#scratch.length) return UNKNOWN
    const octets = writeReflected(block, { originatorId: source.routerId, clusterId }, this.#scratch)
    if (octets < 0) return UNKNOWN
    this.#leaveOut(this.#four, set, nextHop)
    return this.#outs.take(this.#scratch, octets)
  }

  /** Who does not hear of it: its source, and the peer that it points at. */
  #leaveOut({ exclusionOf }: Fates, set: AttributeSet, nextHop: AnyAddress | undefined): void {
    if (nextHop !== undefined) this.#hopsSaid.add(nextHop)
    const pointedAt = nextHop === undefined ? undefined : this.#slotAt.get(nextHop)
    exclusionOf[set.id] = this.#exclusions.of(this.#rib.slotOf(set.source.id), pointedAt ?? -1)
  }

  /** Whether the session has words for this family, and for a next hop of the other one (RFC 8950). */
  #isSpoken(six: boolean, out: number): boolean {
    if (six) return this.#speaksSix
    return this.#speaksFour && (this.#speaksOver || !this.#outs.isWide(out))
  }

  get isFull(): boolean {
    return this.#outs.isFull
  }

  /** Forgets what is told of no prefix. Hot enough for plain loops: it looks at the whole table whenever the attribute sets have doubled. */
  sweep(told: Int32Array, setOf: (id: number) => number): void {
    const used = new Uint8Array(this.#outs.limit)
    this.#hopsSaid.clear()
    let last = UNKNOWN
    for (let id = 0; id < told.length; id++) {
      const out = told[id] ?? NOT_TOLD
      if (out < 0) continue
      used[out] = 1
      const set = setOf(id)
      if (set !== last) this.#hopsSaid.add(this.#hopOf(set) ?? NOWHERE)
      last = set
    }
    this.#outs.sweep(out => used[out] === 1)
    for (const { outOf } of [this.#four, this.#six])
      for (let set = 0; set < outOf.length; set++) {
        const out = outOf[set] ?? UNKNOWN
        if (out >= 0 && used[out] === 0) outOf[set] = UNKNOWN
      }
  }

  /** Plain sets are not read for it. */
  #hopOf(set: number): AnyAddress | undefined {
    const known = this.#rib.sets.get(set)
    if (known === undefined || known.nextHop !== NOWHERE) return known?.nextHop
    return pointOf(known.attributes)
  }
}

/** By number of attribute set, for the routes of one family: what it becomes, and who is left out. */
class Fates {
  outOf = new Int32Array(32).fill(UNKNOWN)
  exclusionOf = new Int32Array(32)

  makeRoom(sets: number): void {
    if (sets <= this.outOf.length) return
    const length = Math.max(sets, this.outOf.length * 2)
    this.outOf = grownInt32(this.outOf, length, UNKNOWN)
    this.exclusionOf = grownInt32(this.exclusionOf, length)
  }
}

/** The address that may be a member's; a link-local one is another machine's on every link. */
function pointOf({ nextHop, nextHop6 }: Attributes): AnyAddress | undefined {
  if (nextHop6 === undefined) return nextHop
  return isLinkLocal(nextHop6.address) ? undefined : nextHop6.address
}
