/** What one source said of one or more routes, read once: the attributes and all that decisions ask of them. */
import { type Ipv4, toIpv4 } from '@network/base/net/ipv4.ts'
import { neighbourAs, pathLength } from '../attributes/as-path.ts'
import { type Attributes, LLGR_STALE } from '../attributes/attributes.ts'
import { fingerprint } from '../attributes/encode.ts'
import { type Asked, type Skimmed, skim } from '../attributes/skim.ts'
import type { Dialect } from '../wire/dialect.ts'
import { decodeUpdate } from '../wire/update.ts'
import { ByteTable } from './byte-table.ts'
import { flawOf, type Ineligible, nextHopFlaw, type Self, type Source } from './path.ts'

export const DEFAULT_LOCAL_PREF = 100
const ORIGIN_RANK = { igp: 0, egp: 1, incomplete: 2 } as const

/** What decisions ask of attributes. */
export interface Ranks {
  /** Kept over a long absence, here or upstream: the last resort. RFC 9494 §4.3. */
  readonly isLongStale: boolean
  readonly weight: number
  readonly localPref: number
  readonly pathLength: number
  readonly originRank: number
  readonly med: number
  readonly neighbourAs: number
  /** RFC 4456 §9: ORIGINATOR_ID stands for the router id. */
  readonly originator: Ipv4
  readonly clusters: number
  readonly nextHop: Ipv4
  /** What the protocol has against it. */
  readonly flaw: Ineligible | undefined
}

/** The values behind a block that was only skimmed. */
type Reader = (id: number) => Attributes

export class AttributeSet implements Ranks {
  readonly id: number
  readonly source: Source
  readonly flaw: Ineligible | undefined
  readonly isLongStale: boolean
  readonly weight: number
  readonly localPref: number
  readonly pathLength: number
  readonly originRank: number
  readonly med: number
  readonly neighbourAs: number
  readonly originator: Ipv4
  readonly clusters: number
  readonly nextHop: Ipv4
  /** Its bytes are as we would write them, and no community forbids to hand them on. */
  readonly isPlain: boolean
  /** To the next hop, as the embedder said last; infinite: it cannot be reached. */
  distance = 0
  #attributes: Attributes | undefined
  readonly #read: Reader | undefined
  #print: string | undefined

  constructor(
    id: number,
    source: Source,
    ranks: Ranks,
    said: { readonly attributes: Attributes } | { readonly reader: Reader; readonly isPlain: boolean },
  ) {
    this.id = id
    this.source = source
    this.flaw = ranks.flaw
    this.isLongStale = ranks.isLongStale
    this.weight = ranks.weight
    this.localPref = ranks.localPref
    this.pathLength = ranks.pathLength
    this.originRank = ranks.originRank
    this.med = ranks.med
    this.neighbourAs = ranks.neighbourAs
    this.originator = ranks.originator
    this.clusters = ranks.clusters
    this.nextHop = ranks.nextHop
    this.isPlain = 'reader' in said && said.isPlain
    this.#attributes = 'reader' in said ? undefined : said.attributes
    this.#read = 'reader' in said ? said.reader : undefined
  }

  /** Read when somebody asks for them first. */
  get attributes(): Attributes {
    const known = this.#attributes ?? this.#read?.(this.id)
    if (known === undefined) throw new TypeError(`attribute set ${this.id} cannot be read`)
    this.#attributes = known
    return known
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

export function ranksOf(attributes: Attributes, source: Source, self: Self): Ranks {
  return {
    flaw: flawOf(attributes, source, self),
    isLongStale: attributes.communities.includes(LLGR_STALE),
    weight: attributes.weight ?? 0,
    localPref: attributes.localPref ?? DEFAULT_LOCAL_PREF,
    pathLength: pathLength(attributes.asPath),
    originRank: ORIGIN_RANK[attributes.origin],
    med: attributes.med ?? 0,
    neighbourAs: neighbourAs(attributes.asPath) ?? 0,
    originator: attributes.originatorId ?? source.routerId,
    clusters: attributes.clusterList.length,
    nextHop: attributes.nextHop,
  }
}

/** The same from a skimmed block. */
export function ranksOfSkimmed(skimmed: Skimmed, source: Source, self: Self): Ranks {
  const { localPref, pathLength: length, originRank, med, neighbourAs: neighbour, originatorId, clusters } = skimmed
  const nextHop = toIpv4(skimmed.nextHop)
  return {
    flaw: flawOfSkimmed(skimmed, nextHop, source, self),
    isLongStale: false,
    weight: 0,
    localPref,
    pathLength: length,
    originRank,
    med,
    neighbourAs: neighbour,
    originator: originatorId === 0 ? source.routerId : toIpv4(originatorId),
    clusters,
    nextHop,
  }
}

function flawOfSkimmed(
  { ownAs, originatorId, ownCluster }: Skimmed,
  nextHop: Ipv4,
  source: Source,
  self: Self,
): Ineligible | undefined {
  if (ownAs > (source.allowOwnAs ?? 0)) return 'as-path-loop'
  if (originatorId === self.routerId) return 'originator-loop'
  return ownCluster ? 'cluster-loop' : nextHopFlaw(nextHop, source)
}

/** All sets in use, found by the bytes in which their source said them. */
export class AttributeSets {
  readonly #self: Self
  readonly #bytes: ByteTable
  readonly #sets: (AttributeSet | undefined)[] = []
  /** Salts of the byte table: sources say the same bytes and mean different things. */
  readonly #salts = new Map<Source, number>()
  #nextSalt = 0
  readonly #asked: Asked
  readonly #skimmed: Skimmed = {
    originRank: 0,
    pathLength: 0,
    neighbourAs: 0,
    nextHop: 0,
    med: 0,
    localPref: 0,
    originatorId: 0,
    clusters: 0,
    ownAs: 0,
    ownCluster: false,
    wellKnown: false,
  }
  readonly #reader: Reader = id => readPlain(this.#bytes.bytes(id))
  #hasLongStale = false

  constructor(self: Self, seed = 0) {
    this.#bytes = new ByteTable(seed)
    this.#self = self
    this.#asked = { asn: self.asn, clusterId: self.clusterId ?? self.routerId }
  }

  /** A set that was ever known says that its route is the last resort. */
  get hasLongStale(): boolean {
    return this.#hasLongStale
  }

  get size(): number {
    return this.#bytes.size
  }

  /** One more than the highest number ever given. */
  get limit(): number {
    return this.#bytes.limit
  }

  get isFull(): boolean {
    return this.#bytes.isFull
  }

  /** Asked for -1 too: an array takes that for a name and searches long. */
  get(id: number): AttributeSet | undefined {
    return id < 0 ? undefined : this.#sets[id]
  }

  /** What these bytes meant when this source said them before; undefined: they are to be read. Hot. */
  recall(source: Source, bytes: Uint8Array, from: number, to: number): AttributeSet | undefined {
    const salt = this.#salts.get(source)
    return salt === undefined ? undefined : this.get(this.#bytes.find(bytes, from, to, salt))
  }

  /** Remembers what these bytes mean in the mouth of this source. */
  learn(
    source: Source,
    bytes: Uint8Array,
    range: { readonly from: number; readonly to: number },
    means: Attributes,
  ): AttributeSet {
    const salt = this.#saltOf(source)
    const known = this.get(this.#bytes.find(bytes, range.from, range.to, salt))
    if (known !== undefined) return known
    const id = this.#bytes.add(bytes, range.from, range.to, salt)
    const set = new AttributeSet(id, source, ranksOf(means, source, this.#self), { attributes: means })
    if (set.isLongStale) this.#hasLongStale = true
    this.#sets[id] = set
    return set
  }

  /** The set for a plain block of an internal peer, which is not read until somebody asks; undefined: it is to be read. Hot. */
  skim(source: Source, bytes: Uint8Array, from: number, to: number): AttributeSet | undefined {
    const skimmed = this.#skimmed
    if (!skim(bytes, from, to, this.#asked, skimmed)) return undefined
    const id = this.#bytes.add(bytes, from, to, this.#saltOf(source))
    const how = { reader: this.#reader, isPlain: !skimmed.wellKnown }
    const set = new AttributeSet(id, source, ranksOfSkimmed(skimmed, source, this.#self), how)
    this.#sets[id] = set
    return set
  }

  /** The bytes in which a plain set was said; valid until the next one is learned. */
  bytesOf(id: number): Uint8Array {
    return this.#bytes.bytes(id)
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

/** The decoder reads whole messages: one prefix makes the block one. */
function readPlain(block: Uint8Array): Attributes {
  const body = new Uint8Array(4 + block.length + 1)
  body[2] = block.length >> 8
  body[3] = block.length
  body.set(block, 4)
  const verdict = decodeUpdate(body, PLAIN_DIALECT)
  const [announcement] = verdict.is === 'routes' ? verdict.announced : []
  if (announcement === undefined) throw new TypeError('a plain block that the decoder refuses')
  return announcement.attributes
}

const PLAIN_DIALECT: Dialect = { kind: 'internal', asnOctets: 4 }
