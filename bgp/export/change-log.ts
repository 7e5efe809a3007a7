/** What a group has to say, encoded once: each member reads it at its own speed, and one that falls too far behind is let go of. */
import type { Exclusions } from './audience.ts'
import type { Held } from './naming.ts'
import { type Load, Loader, type Parcel } from './parcel.ts'
import type { Ended, Span } from './spans.ts'

/** One member's place. */
export interface Follower {
  readonly slot: number
  /** Number of the next batch to read, and of the next parcel in it. */
  batch: number
  parcel: number
  /** What it reads before: all that the group told up to `batch`. */
  dump: readonly Parcel[] | undefined
  /** What it held already when it began with the dump; `all`: everything in it. */
  kept: Held | 'all' | undefined
  /** It wants everything once more after what it reads. */
  again: boolean
}

interface Batch {
  readonly parcels: readonly Parcel[]
  readonly octets: number
  /** What was told until this batch. */
  readonly ended: Ended
  /** Octets ever said before it. */
  readonly before: number
  /** Members for whom something is left out or put in. */
  readonly named: ReadonlySet<number>
  /** What all others read; made when the first one does. */
  whole: Load | undefined
}

/** Octets handed to a session in one go: it asks again when its stream has room. */
const LOAD = 1 << 18
/** Octets kept for those who lag, as much as a table of a million routes takes, and batches. */
const LONGEST_LOG = 16 << 20
const MOST_BATCHES = 10_000
const NOTHING: Load = { slices: [], messages: 0 }

export class ChangeLog {
  readonly #exclusions: Exclusions
  #batches: Batch[] = []
  #first = 0
  /** Octets ever said. */
  #said = 0

  constructor(exclusions: Exclusions) {
    this.#exclusions = exclusions
  }

  /** The number of the oldest batch that is kept. */
  get begin(): number {
    return this.#first
  }

  /** The number of the batch that will be next. */
  get end(): number {
    return this.#first + this.#batches.length
  }

  get octets(): number {
    return this.octetsSince(this.#first)
  }

  get isTooLong(): boolean {
    return this.octets > LONGEST_LOG || this.#batches.length > MOST_BATCHES
  }

  /** `ended` is asked only when there is something to tell. */
  append(parcels: readonly Parcel[], ended: () => Ended): void {
    if (parcels.length === 0) return
    const octets = octetsOf(parcels)
    this.#batches.push({ parcels, octets, ended: ended(), before: this.#said, named: this.#named(parcels), whole: undefined })
    this.#said += octets
  }

  isCurrent({ dump, batch, again }: Follower): boolean {
    return dump === undefined && batch === this.end && !again
  }

  /** Octets said since a batch. */
  octetsSince(batch: number): number {
    return this.#said - (this.#batches[batch - this.#first]?.before ?? this.#said)
  }

  /** What ended in a batch or after it. */
  *endedFrom(batch: number): Generator<Span, void, void> {
    for (let at = batch; at < this.end; at++) yield* this.#batches[at - this.#first]?.ended.spans() ?? []
  }

  /** What the member has read of its dump, or else of the batch that it is in. */
  readBy({ dump, batch, parcel, slot }: Follower): readonly Parcel[] {
    const parcels = dump ?? this.#batches[batch - this.#first]?.parcels ?? []
    return parcels.slice(0, parcel).filter(each => this.#isFor(each, slot))
  }

  /** Forgets what lies before a batch. */
  trim(batch: number): void {
    if (batch <= this.#first) return
    this.#batches.splice(0, batch - this.#first)
    this.#first = batch
  }

  /** What the follower writes next, about a load of it; no slices: it has read all. Hot: called for every member at every change. */
  pull(follower: Follower): Load {
    const plain = this.#plainBatch(follower)
    if (plain !== undefined) {
      follower.batch++
      plain.whole ??= gather(plain.parcels.filter(({ audience }) => audience.is === 'but'))
      return plain.whole
    }
    const loader = new Loader()
    while (loader.octets < LOAD) {
      const parcels = follower.dump ?? this.#batches[follower.batch - this.#first]?.parcels
      if (parcels === undefined) break
      this.#load(loader, parcels, follower)
    }
    return loader.octets === 0 ? NOTHING : loader.finish()
  }

  /** The usual case: one new batch, small, and nothing in it is special to this member. */
  #plainBatch(follower: Follower): Batch | undefined {
    if (follower.dump !== undefined || follower.parcel > 0 || follower.batch !== this.end - 1) return undefined
    const batch = this.#batches[follower.batch - this.#first]
    return batch !== undefined && batch.octets <= LOAD && !batch.named.has(follower.slot) ? batch : undefined
  }

  #load(loader: Loader, parcels: readonly Parcel[], follower: Follower): void {
    while (follower.parcel < parcels.length && loader.octets < LOAD) {
      const parcel = parcels[follower.parcel++]
      if (parcel !== undefined && this.#isFor(parcel, follower.slot)) loader.add(parcel)
    }
    if (follower.parcel < parcels.length) return
    follower.parcel = 0
    if (follower.dump === undefined) follower.batch++
    else {
      follower.dump = undefined
      follower.kept = undefined
    }
  }

  #isFor({ audience }: Parcel, slot: number): boolean {
    return audience.is === 'but' ? !this.#exclusions.excludes(audience.exclusion, slot) : audience.slots.includes(slot)
  }

  #named(parcels: readonly Parcel[]): ReadonlySet<number> {
    const named = new Set<number>()
    for (const { audience } of parcels)
      for (const slot of audience.is === 'but' ? this.#exclusions.slots(audience.exclusion) : audience.slots) named.add(slot)
    return named
  }
}

export function octetsOf(parcels: readonly Parcel[]): number {
  return parcels.reduce((sum, { from, to }) => sum + to - from, 0)
}

function gather(parcels: readonly Parcel[]): Load {
  const loader = new Loader()
  for (const parcel of parcels) loader.add(parcel)
  return loader.finish()
}
