/** What one source said of one or more routes, read once: the attributes and all that decisions ask of them. */
import type { Ipv4 } from '@network/base/net/ipv4.ts'
import { neighbourAs, pathLength } from '../attributes/as-path.ts'
import type { Attributes } from '../attributes/attributes.ts'
import { fingerprint } from '../attributes/encode.ts'
import { ByteTable } from './byte-table.ts'
import { flawOf, type Ineligible, type Self, type Source } from './path.ts'

export const DEFAULT_LOCAL_PREF = 100
const ORIGIN_RANK = { igp: 0, egp: 1, incomplete: 2 } as const

export class AttributeSet {
  readonly id: number
  readonly source: Source
  readonly attributes: Attributes
  /** What the protocol has against it. */
  readonly flaw: Ineligible | undefined
  readonly localPref: number
  readonly pathLength: number
  readonly originRank: number
  readonly med: number
  readonly neighbourAs: number
  /** RFC 4456 §9: ORIGINATOR_ID stands for the router id. */
  readonly originator: Ipv4
  readonly clusters: number
  #print: string | undefined

  constructor(id: number, source: Source, attributes: Attributes, self: Self) {
    this.id = id
    this.source = source
    this.attributes = attributes
    this.flaw = flawOf(attributes, source, self)
    this.localPref = attributes.localPref ?? DEFAULT_LOCAL_PREF
    this.pathLength = pathLength(attributes.asPath)
    this.originRank = ORIGIN_RANK[attributes.origin]
    this.med = attributes.med ?? 0
    this.neighbourAs = neighbourAs(attributes.asPath) ?? 0
    this.originator = attributes.originatorId ?? source.routerId
    this.clusters = attributes.clusterList.length
  }

  /** Equal for equal attributes, whoever said them. */
  get fingerprint(): string {
    this.#print ??= fingerprint(this.attributes)
    return this.#print
  }

  /** True when nobody downstream could tell the two apart. */
  isLike(other: AttributeSet): boolean {
    if (this === other) return true
    return (
      this.source.id === other.source.id &&
      this.source.routerId === other.source.routerId &&
      this.source.client === other.source.client &&
      this.source.kind === other.source.kind &&
      this.fingerprint === other.fingerprint
    )
  }
}

/** Below this many sets nobody looks for unused ones. */
const FEW = 4096

/** All sets in use, found by the bytes in which their source said them. */
export class AttributeSets {
  readonly #self: Self
  readonly #bytes = new ByteTable()
  readonly #sets: (AttributeSet | undefined)[] = []
  /** Salts of the byte table: sources say the same bytes and mean different things. */
  readonly #salts = new Map<Source, number>()
  #nextSalt = 0
  #sweepAt = FEW

  constructor(self: Self) {
    this.#self = self
  }

  get size(): number {
    return this.#bytes.size
  }

  /** One more than the highest number ever given. */
  get limit(): number {
    return this.#bytes.limit
  }

  get isFull(): boolean {
    return this.#bytes.size >= this.#sweepAt
  }

  get(id: number): AttributeSet | undefined {
    return this.#sets[id]
  }

  /** What these bytes meant when this source said them before; undefined: they are to be read. Hot. */
  recall(source: Source, bytes: Uint8Array, from: number, to: number): AttributeSet | undefined {
    const salt = this.#salts.get(source)
    return salt === undefined ? undefined : this.#sets[this.#bytes.find(bytes, from, to, salt)]
  }

  /** Remembers what these bytes mean in the mouth of this source. */
  learn(
    source: Source,
    bytes: Uint8Array,
    range: { readonly from: number; readonly to: number },
    means: Attributes,
  ): AttributeSet {
    const salt = this.#saltOf(source)
    const known = this.#sets[this.#bytes.find(bytes, range.from, range.to, salt)]
    if (known !== undefined) return known
    const id = this.#bytes.add(bytes, range.from, range.to, salt)
    const set = new AttributeSet(id, source, means, this.#self)
    this.#sets[id] = set
    return set
  }

  /** The set for attributes that did not come as a block of bytes of their own. */
  of(source: Source, attributes: Attributes): AttributeSet {
    const bytes = Buffer.from(`=${fingerprint(attributes)}`, 'latin1')
    return this.learn(source, bytes, { from: 0, to: bytes.length }, attributes)
  }

  /** Forgets what nobody uses, and the salts of sources that said nothing that is left. */
  sweep(isUsed: (id: number) => boolean, forgotten: (id: number) => void): void {
    this.#bytes.sweep(isUsed, id => {
      this.#sets[id] = undefined
      forgotten(id)
    })
    this.#sweepAt = Math.max(FEW, this.#bytes.size * 2)
    const speaking = new Set(this.#sets.map(set => set?.source))
    for (const source of this.#salts.keys()) if (!speaking.has(source)) this.#salts.delete(source)
  }

  #saltOf(source: Source): number {
    const known = this.#salts.get(source)
    if (known !== undefined) return known
    const salt = this.#nextSalt++
    this.#salts.set(source, salt)
    return salt
  }
}
