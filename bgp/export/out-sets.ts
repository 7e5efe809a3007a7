/** The attribute blocks that a group sends, each encoded once and found by its bytes. */
import type { Attributes } from '../attributes/attributes.ts'
import { encodeAttributes } from '../attributes/encode.ts'
import { ByteTable } from '../rib/byte-table.ts'
import type { Dialect } from '../wire/dialect.ts'
import type { Saying } from './packer.ts'

const CLASSIC = 0
const MULTIPROTOCOL = 1

export class OutSets {
  readonly #dialect: Dialect
  readonly #bytes: ByteTable
  /** Those whose next hop is not in the block. */
  readonly #wide = new Map<number, Saying>()

  constructor(dialect: Dialect, seed = 0) {
    this.#bytes = new ByteTable(seed)
    this.#dialect = dialect
  }

  get isFull(): boolean {
    return this.#bytes.isFull
  }

  get limit(): number {
    return this.#bytes.limit
  }

  of(attributes: Attributes): number {
    const block = encodeAttributes(attributes, this.#dialect)
    const { nextHop, nextHop6 } = attributes
    if (nextHop6 === undefined) return this.take(block, block.length)
    const key = Buffer.from(`${nextHop6.address}|${nextHop6.linkLocal ?? ''}|${Buffer.from(block).toString('latin1')}`, 'latin1')
    const known = this.#bytes.find(key, 0, key.length, MULTIPROTOCOL)
    if (known >= 0) return known
    const id = this.#bytes.add(key, 0, key.length, MULTIPROTOCOL)
    this.#wide.set(id, { block, hops: { nextHop, nextHop6 } })
    return id
  }

  /** The same for a block that is encoded already, in the first octets of an array. */
  take(block: Uint8Array, octets: number): number {
    const known = this.#bytes.find(block, 0, octets, CLASSIC)
    return known >= 0 ? known : this.#bytes.add(block, 0, octets, CLASSIC)
  }

  /** Valid until the next set is taken. */
  saying(id: number): Saying {
    return this.#wide.get(id) ?? { block: this.#bytes.bytes(id), hops: undefined }
  }

  /** Octets of the block of a set. */
  octetsOf(id: number): number {
    return this.#wide.get(id)?.block.length ?? this.#bytes.lengthOf(id)
  }

  isWide(id: number): boolean {
    return this.#wide.size > 0 && this.#wide.has(id)
  }

  sweep(isUsed: (id: number) => boolean): void {
    this.#bytes.sweep(isUsed, id => this.#wide.delete(id))
  }
}
