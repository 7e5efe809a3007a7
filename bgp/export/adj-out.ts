/** Adj-RIB-Out of one peer: what it was told, and which prefixes wait to be looked at again. RFC 4271 §3.2, §9.2. */
import type { Prefix } from '@network/base/net/prefix.ts'
import type { Attributes } from '../attributes/attributes.ts'
import { encodeAttributes } from '../attributes/encode.ts'
import type { Dialect } from '../wire/dialect.ts'
import { packAnnouncements, packWithdrawals } from './pack.ts'

/** What the peer should hear of a prefix now. */
export interface Offer {
  readonly prefix: Prefix
  readonly attributes: Attributes
}

export interface Batch {
  readonly messages: readonly Uint8Array[]
  /** Routes whose attributes fit in no message: not told, and withdrawn where they were told before. */
  readonly oversized: readonly Prefix[]
}

interface Told {
  readonly prefix: Prefix
  /** The attribute bytes as sent; undefined: to be sent again whatever they are. */
  readonly print: string | undefined
}

interface Group {
  readonly bytes: Uint8Array
  readonly print: string
  readonly prefixes: Map<string, Prefix>
}

/** Prefixes looked at in one go; the session asks again when its stream has room. */
const BATCH = 2000

export class AdjOut {
  readonly #dialect: Dialect
  readonly #told = new Map<string, Told>()
  readonly #pending = new Set<string>()

  constructor(dialect: Dialect) {
    this.#dialect = dialect
  }

  /** Prefixes that the peer holds from us. */
  get size(): number {
    return this.#told.size
  }

  /** True when nothing waits to be said. */
  get isCurrent(): boolean {
    return this.#pending.size === 0
  }

  /** The prefix may have changed. Ten changes of one prefix are one piece of work. */
  touch(key: string): void {
    this.#pending.add(key)
  }

  /** Everything is to be said again: the peer asked for it. */
  resend(): void {
    for (const [key, { prefix }] of this.#told) {
      this.#told.set(key, { prefix, print: undefined })
      this.#pending.add(key)
    }
  }

  /** Says what waits: withdrawals for what was told and is no more, announcements where the bytes differ. */
  next(offerOf: (key: string) => Offer | undefined): Batch {
    const withdrawn: Prefix[] = []
    const groups = new Map<string, Group>()
    let looked = 0
    for (const key of this.#pending) {
      if (looked++ === BATCH) break
      this.#pending.delete(key)
      const offer = offerOf(key)
      if (offer === undefined) withdrawn.push(...this.#forget(key))
      else this.#offer(key, offer, groups)
    }
    const announced: Uint8Array[] = []
    const oversized: Prefix[] = []
    for (const group of groups.values()) {
      const messages = packAnnouncements(group.bytes, [...group.prefixes.values()])
      if (messages === undefined) {
        oversized.push(...group.prefixes.values())
        for (const key of group.prefixes.keys()) withdrawn.push(...this.#forget(key))
      } else {
        announced.push(...messages)
        this.#remember(group)
      }
    }
    return { messages: [...packWithdrawals(withdrawn), ...announced], oversized }
  }

  #offer(key: string, { prefix, attributes }: Offer, groups: Map<string, Group>): void {
    const bytes = encodeAttributes(attributes, this.#dialect)
    const print = Buffer.from(bytes).toString('latin1')
    if (this.#told.get(key)?.print === print) return
    const group = groups.get(print) ?? { bytes, print, prefixes: new Map<string, Prefix>() }
    group.prefixes.set(key, prefix)
    groups.set(print, group)
  }

  #forget(key: string): readonly Prefix[] {
    const told = this.#told.get(key)
    this.#told.delete(key)
    return told === undefined ? [] : [told.prefix]
  }

  #remember({ print, prefixes }: Group): void {
    for (const [key, prefix] of prefixes) this.#told.set(key, { prefix, print })
  }
}
