/** Routes → as few UPDATEs as they fit in, written one behind the other into large chunks. RFC 4271 §4.3, RFC 4760 §4. */
import type { NextHops } from '../attributes/multiprotocol.ts'
import { IPV4_UNICAST, IPV6_UNICAST } from '../wire/capabilities.ts'
import { HEADER_OCTETS, messageType } from '../wire/header.ts'
import { sizeOfPrefix } from '../wire/nlri.ts'
import { encodeReachable, encodeUnreachable } from '../wire/update.ts'
import type { Naming } from './naming.ts'
import type { Audience, OpenParcel } from './parcel.ts'

const CHUNK = 1 << 18
const END = -1
const UPDATE = messageType('update')
/** Header, length of withdrawals, length of attributes. */
const FIXED = HEADER_OCTETS + 4
/** Head of MP_REACH with two IPv6 next hops, its own header included; of MP_UNREACH less. */
const LONGEST_REACH_HEAD = 4 + 37
/** Octets that an IPv6 prefix takes more than an IPv4 one. */
const WIDER = 12

/** Prefixes chained through an array. */
export interface Chain {
  readonly first: number
  readonly next: Int32Array
}

/** Attributes ready to send; the next hop beside them where it must go by MP_REACH. */
export interface Saying {
  readonly block: Uint8Array
  readonly hops: NextHops | undefined
}

export class Packer {
  readonly #prefixes: Naming
  readonly #longest: number
  #chunk: Uint8Array = new Uint8Array(0)
  #used = 0
  #begun = 0
  #messages = 0

  constructor(prefixes: Naming, longestMessage: number) {
    this.#prefixes = prefixes
    this.#longest = longestMessage
  }

  /** Whether attributes of this length leave room for any prefix. */
  fits(octets: number, wide: boolean): boolean {
    return FIXED + octets + this.#prefixes.longest4 + (wide ? LONGEST_REACH_HEAD + WIDER : 0) <= this.#longest
  }

  announce(saying: Saying, chain: Chain, audience: Audience, into: OpenParcel[]): void {
    const { hops } = saying
    this.#begin()
    if (hops === undefined) this.#announce4(saying.block, chain, audience, into)
    else {
      const family = this.#prefixes.isSix(chain.first) ? IPV6_UNICAST : IPV4_UNICAST
      const room = this.#longest - FIXED - saying.block.length - LONGEST_REACH_HEAD
      for (const prefixes of this.#portions(chain, room))
        this.#append(encodeReachable(family, { hops, attributes: saying.block }, prefixes), audience, into)
    }
    this.#end(audience, into)
  }

  withdraw(chain: Chain, audience: Audience, into: OpenParcel[]): void {
    this.#begin()
    if (!this.#prefixes.isSix(chain.first)) this.#withdraw4(chain, audience, into)
    else
      for (const prefixes of this.#portions(chain, this.#longest - FIXED - LONGEST_REACH_HEAD))
        this.#append(encodeUnreachable(IPV6_UNICAST, prefixes), audience, into)
    this.#end(audience, into)
  }

  /** Hot: straight into the chunk. */
  #announce4(block: Uint8Array, { first, next }: Chain, audience: Audience, into: OpenParcel[]): void {
    const most = this.#longest - this.#prefixes.longest4
    for (let id = first; id !== END; ) {
      const chunk = this.#room(this.#longest, audience, into)
      const start = this.#used
      const limit = start + most
      chunk.fill(255, start, start + 16)
      chunk[start + 18] = UPDATE
      chunk[start + 19] = 0
      chunk[start + 20] = 0
      chunk[start + 21] = block.length >> 8
      chunk[start + 22] = block.length
      chunk.set(block, start + FIXED)
      let at = start + FIXED + block.length
      for (; id !== END && at <= limit; id = next[id] ?? END) at = this.#prefixes.write4(id, chunk, at)
      this.#finish(start, at)
    }
  }

  #withdraw4({ first, next }: Chain, audience: Audience, into: OpenParcel[]): void {
    for (let id = first; id !== END; ) {
      const chunk = this.#room(this.#longest, audience, into)
      const start = this.#used
      const limit = start + this.#longest - 2 - this.#prefixes.longest4
      chunk.fill(255, start, start + 16)
      chunk[start + 18] = UPDATE
      let at = start + HEADER_OCTETS + 2
      for (; id !== END && at <= limit; id = next[id] ?? END) at = this.#prefixes.write4(id, chunk, at)
      const octets = at - start - HEADER_OCTETS - 2
      chunk[start + 19] = octets >> 8
      chunk[start + 20] = octets
      chunk[at] = 0
      chunk[at + 1] = 0
      this.#finish(start, at + 2)
    }
  }

  #finish(start: number, end: number): void {
    this.#chunk[start + 16] = (end - start) >> 8
    this.#chunk[start + 17] = end - start
    this.#used = end
    this.#messages++
  }

  *#portions({ first, next }: Chain, room: number) {
    let portion = []
    let octets = 0
    for (let id = first; id !== END; id = next[id] ?? END) {
      const prefix = this.#prefixes.prefix(id)
      if (octets + sizeOfPrefix(prefix) > room) {
        yield portion
        portion = []
        octets = 0
      }
      portion.push(prefix)
      octets += sizeOfPrefix(prefix)
    }
    yield portion
  }

  #append(message: Uint8Array, audience: Audience, into: OpenParcel[]): void {
    this.#room(message.length, audience, into).set(message, this.#used)
    this.#used += message.length
    this.#messages++
  }

  /** A chunk with this much room behind what is used; a full one ends a parcel and is left to those who write from it. */
  #room(octets: number, audience: Audience, into: OpenParcel[]): Uint8Array {
    if (this.#chunk.length - this.#used < octets) {
      this.#end(audience, into)
      this.#chunk = new Uint8Array(Math.max(CHUNK, octets))
      this.#used = 0
      this.#begin()
    }
    return this.#chunk
  }

  #begin(): void {
    this.#begun = this.#used
    this.#messages = 0
  }

  /** Parcels of one audience that touch become one. */
  #end(audience: Audience, into: OpenParcel[]): void {
    if (this.#used === this.#begun) return
    const last = into.at(-1)
    if (last?.chunk === this.#chunk && last.to === this.#begun && last.audience === audience) {
      last.to = this.#used
      last.messages += this.#messages
    } else into.push({ audience, chunk: this.#chunk, from: this.#begun, to: this.#used, messages: this.#messages })
    this.#begun = this.#used
    this.#messages = 0
  }
}
