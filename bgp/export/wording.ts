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
  /** By place of attribute set and family: what it becomes here, and who is left out. */
  #outOf = new Int32Array(32).fill(UNKNOWN)
  #exclusionOf = new Int32Array(32)
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
    if (2 * sets <= this.#outOf.length) return
    const length = 2 * Math.max(sets, this.#outOf.length)
    this.#outOf = grownInt32(this.#outOf, length, UNKNOWN)
    this.#exclusionOf = grownInt32(this.#exclusionOf, length)
  }

  /** Who does not hear of a prefix with an attribute set that is told. */
  exclusionOf(id: number, set: number): number {
    return this.#exclusionOf[this.#placeOf(id, set)] ?? 0
  }

  /** Routes of both families may share an attribute set, and part on their way out. */
  #placeOf(id: number, set: number): number {
    return this.#rib.prefixes.isSix(id) ? 2 * set + 1 : 2 * set
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
    this.#outOf.fill(UNKNOWN)
  }

  forget(set: number): void {
    this.#outOf[2 * set] = UNKNOWN
    this.#outOf[2 * set + 1] = UNKNOWN
  }

  /** These members are gone, and so is what was known of sets that leave one of them out. */
  forgetSlots(gone: ReadonlySet<number>, named: ReadonlySet<number>): void {
    for (const [address, slot] of this.#slotAt) if (gone.has(slot)) this.#slotAt.delete(address)
    for (let at = 0; at < this.#outOf.length; at++) if (named.has(this.#exclusionOf[at] ?? 0)) this.#outOf[at] = UNKNOWN
  }

  /** Routes whose attributes fit in no message, since the last call. */
  takeOversized(): readonly AnyPrefix[] {
    return this.#oversized.splice(0).map(id => this.#rib.prefixes.prefix(id))
  }

  /** The number of what is said of a prefix, or NOT_TOLD. Without a policy it is the same for all prefixes of an attribute set. */
  outFor(id: number, set: number): number {
    const place = this.#placeOf(id, set)
    const known = this.#outOf[place] ?? UNKNOWN
    if (known === TOO_LARGE) this.#oversized.push(id)
    if (known !== UNKNOWN) return this.#isSpoken(id, known) ? known : NOT_TOLD
    const attributeSet = this.#rib.sets.get(set)
    if (attributeSet === undefined) return NOT_TOLD
    const spliced = attributeSet.isPlain && this.#mayReflect ? this.#reflect(attributeSet) : UNKNOWN
    if (spliced !== UNKNOWN) {
      this.#outOf[place] = spliced
      return this.#isSpoken(id, spliced) ? spliced : NOT_TOLD
    }
    const attributes = this.attributesFor(id, attributeSet)
    const out = attributes === undefined ? NOT_TOLD : this.#encode(id, attributes, attributeSet)
    if (this.#outlet.policy === undefined) this.#outOf[place] = out
    return this.#isSpoken(id, out) ? out : NOT_TOLD
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
    this.#leaveOut(this.#placeOf(id, set.id), set, pointOf(attributes))
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
    this.#leaveOut(2 * id, set, nextHop)
    return this.#outs.take(this.#scratch, octets)
  }

  /** Who does not hear of it: its source, and the peer that it points at. */
  #leaveOut(place: number, set: AttributeSet, nextHop: AnyAddress | undefined): void {
    if (nextHop !== undefined) this.#hopsSaid.add(nextHop)
    const pointedAt = nextHop === undefined ? undefined : this.#slotAt.get(nextHop)
    this.#exclusionOf[place] = this.#exclusions.of(this.#rib.slotOf(set.source.id), pointedAt ?? -1)
  }

  /** Whether the session has words for this family, and for a next hop of the other one (RFC 8950). */
  #isSpoken(id: number, out: number): boolean {
    if (this.#rib.prefixes.isSix(id)) return this.#speaksSix
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
    for (let at = 0; at < this.#outOf.length; at++) {
      const out = this.#outOf[at] ?? UNKNOWN
      if (out >= 0 && used[out] === 0) this.#outOf[at] = UNKNOWN
    }
  }

  /** Plain sets are not read for it. */
  #hopOf(set: number): AnyAddress | undefined {
    const known = this.#rib.sets.get(set)
    if (known === undefined || known.nextHop !== NOWHERE) return known?.nextHop
    return pointOf(known.attributes)
  }
}

/** The address that may be a member's; a link-local one is another machine's on every link. */
function pointOf({ nextHop, nextHop6 }: Attributes): AnyAddress | undefined {
  if (nextHop6 === undefined) return nextHop
  return isLinkLocal(nextHop6.address) ? undefined : nextHop6.address
}
