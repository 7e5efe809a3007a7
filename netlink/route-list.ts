/** Reads a list of routes, most of which differ from the row before in nothing but their destination: then nothing else is read. */
import { Cursor } from '@network/base/bytes/cursor.ts'
import { type Ipv4, toIpv4 } from '@network/base/net/ipv4.ts'
import { toPrefix } from '@network/base/net/prefix.ts'
import type { Route } from './route.ts'
import { destinationIn, readRoute } from './route-message.ts'
import { HEADER_OCTETS, type Message, readMessage } from './wire.ts'

/** Rows that followed each other and are alike but for their destination. */
export interface RouteRun {
  /** The first of them; with another address, each of the others. */
  readonly like: Route
  readonly addresses: readonly Ipv4[]
}

/** Every row as a value of its own. */
export function rowsOf(runs: readonly RouteRun[]): Route[] {
  return runs.flatMap(({ like, addresses }) =>
    addresses.map(address => ({ ...like, destination: toPrefix(address, like.destination.length) })),
  )
}

const WORD_OCTETS = 4
const NO_WORDS = new Int32Array(0)

/** One datagram, seen in three ways. */
interface Datagram {
  readonly octets: Uint8Array
  readonly view: DataView
  /** Empty where the octets do not lie as words do. */
  readonly words: Int32Array
}

/** One reader a list. */
export class RouteListReader {
  readonly rows: RouteRun[] = []
  /** Where the present run's addresses go. */
  #addresses: Ipv4[] = []
  /** The last row's message, header and all; empty when nothing may be taken for its like. */
  #last = NO_WORDS
  /** In it, the word that is the destination. */
  #at = 0

  /** Takes the rows of one datagram; messages that are not like the last row are shown to `isRow`, in order. */
  take(octets: Uint8Array, isRow: (message: Message) => boolean): void {
    const datagram = seenAsWords(octets)
    for (let from = this.#takeAlike(datagram, 0); from < octets.length; from = this.#takeAlike(datagram, from)) {
      const cursor = new Cursor(datagram.view, 'host', from)
      const message = readMessage(cursor)
      if (isRow(message)) this.#takeRow(message.body, datagram)
      from += cursor.at
    }
  }

  #takeRow(body: Cursor, { octets, words }: Datagram): void {
    const from = body.from
    const end = from + body.left
    this.#last = NO_WORDS
    const like = readRoute(body)
    if (like === undefined) return
    this.#addresses = [like.destination.address]
    this.rows.push({ like, addresses: this.#addresses })
    const at = destinationIn(octets.subarray(from, end))
    if (at === undefined || end > words.length * WORD_OCTETS || end % WORD_OCTETS !== 0) return
    this.#last = words.slice((from - HEADER_OCTETS) / WORD_OCTETS, end / WORD_OCTETS)
    this.#at = (HEADER_OCTETS + at) / WORD_OCTETS
  }

  /** From octet `from` on; the octet behind what was taken. */
  #takeAlike({ view, words }: Datagram, from: number): number {
    if (this.#last.length === 0 || from % WORD_OCTETS !== 0) return from
    let next = from / WORD_OCTETS
    while (isAlike(words, next, { last: this.#last, at: this.#at })) {
      this.#addresses.push(toIpv4(view.getUint32((next + this.#at) * WORD_OCTETS)))
      next += this.#last.length
    }
    return next * WORD_OCTETS
  }
}

/** Equal in all but one word: length, type, flags and sequence number are among the others. */
function isAlike(words: Int32Array, from: number, { last, at }: { readonly last: Int32Array; readonly at: number }): boolean {
  if (from + last.length > words.length) return false
  for (let word = 0; word < last.length; word++) if (words[from + word] !== last[word] && word !== at) return false
  return true
}

function seenAsWords(octets: Uint8Array): Datagram {
  const { buffer, byteOffset, length } = octets
  const lies = byteOffset % WORD_OCTETS === 0
  const words = lies ? new Int32Array(buffer, byteOffset, Math.floor(length / WORD_OCTETS)) : NO_WORDS
  return { octets, view: new DataView(buffer, byteOffset, length), words }
}
