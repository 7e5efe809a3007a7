/** Routes that wait to be packed, gathered by audience and attributes; prefixes are chained through flat arrays. */
import { grownInt32 } from '../rib/byte-table.ts'
import type { Packer, Saying } from './packer.ts'
import type { Audience, OpenParcel, Parcel } from './parcel.ts'

const END = -1
/** Stands for the attributes of a withdrawal. */
const GONE = -1
/** More attribute sets than a group ever has, so that audience and set make one number. */
const SETS = 2 ** 28

interface Bucket {
  readonly audience: Audience
  readonly out: number
  readonly first: number
  last: number
}

interface Row {
  readonly audience: Audience
  readonly buckets: Bucket[]
}

export class Buckets {
  readonly #rows: Row[] = []
  readonly #rowOf = new Map<Audience, number>()
  readonly #byKey = new Map<number, Bucket>()
  #latest: Bucket | undefined
  /** A prefix may be announced to some and withdrawn from others. */
  #nextAnnounced = new Int32Array(32)
  #nextWithdrawn = new Int32Array(32)

  /** Before prefixes with numbers up to this are put in. */
  makeRoom(limit: number): void {
    if (limit <= this.#nextAnnounced.length) return
    const length = Math.max(limit, this.#nextAnnounced.length * 2)
    this.#nextAnnounced = grownInt32(this.#nextAnnounced, length)
    this.#nextWithdrawn = grownInt32(this.#nextWithdrawn, length)
  }

  get hasAnnouncements(): boolean {
    return this.#rows.some(({ buckets }) => buckets.some(({ out }) => out !== GONE))
  }

  announce(id: number, six: boolean, out: number, audience: Audience): void {
    this.#put(id, six, out, audience, this.#nextAnnounced)
  }

  withdraw(id: number, six: boolean, audience: Audience): void {
    this.#put(id, six, GONE, audience, this.#nextWithdrawn)
  }

  /** Empties the buckets into parcels, one audience after the other, so that most members write few slices. */
  pack(packer: Packer, sayingOf: (out: number) => Saying): readonly Parcel[] {
    const parcels: OpenParcel[] = []
    for (const { audience, buckets } of this.#rows)
      for (const { out, first } of buckets)
        if (out === GONE) packer.withdraw({ first, next: this.#nextWithdrawn }, audience, parcels)
        else packer.announce(sayingOf(out), { first, next: this.#nextAnnounced }, audience, parcels)
    this.#rows.length = 0
    this.#rowOf.clear()
    this.#byKey.clear()
    this.#latest = undefined
    return parcels
  }

  /** Hot. Neighbours in a message come one after the other: mostly the bucket is that of the last prefix. */
  #put(id: number, six: boolean, out: number, audience: Audience, next: Int32Array): void {
    next[id] = END
    const bucket = this.#latest
    if (!six && bucket !== undefined && bucket.out === out && bucket.audience === audience) {
      next[bucket.last] = id
      bucket.last = id
      return
    }
    const row = this.#rowFor(audience)
    const key = (row * SETS + out + 1) * 2 + (six ? 1 : 0)
    const known = this.#byKey.get(key)
    if (known === undefined) {
      const fresh: Bucket = { audience, out, first: id, last: id }
      this.#byKey.set(key, fresh)
      this.#rows[row]?.buckets.push(fresh)
      if (!six) this.#latest = fresh
      return
    }
    next[known.last] = id
    known.last = id
    if (!six) this.#latest = known
  }

  #rowFor(audience: Audience): number {
    const known = this.#rowOf.get(audience)
    if (known !== undefined) return known
    const row = this.#rows.length
    this.#rowOf.set(audience, row)
    this.#rows.push({ audience, buckets: [] })
    return row
  }
}
