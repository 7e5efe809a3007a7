/**
 * Reads lists of neighbours and of forwarding entries into columns of small integers: there may be 50,000 of each, and an object and
 * some text for each row would cost more than all else. linux/neighbour.h.
 */
import { Cursor, HOST_IS_LITTLE, WireFault } from '@network/base/bytes/cursor.ts'
import { type Ipv4, toIpv4 } from '@network/base/net/ipv4.ts'
import {
  AF_BRIDGE,
  AF_INET,
  ATTRIBUTE_HEADER_OCTETS,
  ATTRIBUTE_TYPE_MASK,
  HEADER_OCTETS,
  type Message,
  readMessage,
} from './wire.ts'

/** Which of the kernel's tables: they share a message. */
export type NeighbourTable = 'neighbours' | 'forwarding'

/** Rows that `readNeighbour`, or `readFdbEntry`, would make something of. */
export class NeighbourColumns {
  /** Of each row its address, its hardware address in two parts, and a word of bits. */
  readonly #cells: number[] = []

  get length(): number {
    return this.#cells.length / COLUMNS
  }

  /** The address of a neighbour, or of the peer that an entry sends to, as a signed number; 0 where there is none. */
  addressAt(row: number): number {
    return this.#cells[row * COLUMNS] ?? 0
  }

  /** Undefined where there is none. */
  ipv4At(row: number): Ipv4 | undefined {
    return (this.#bitsAt(row) & HAS_ADDRESS) === 0 ? undefined : toIpv4(this.addressAt(row))
  }

  hasMac(row: number): boolean {
    return (this.#bitsAt(row) & HAS_MAC) !== 0
  }

  /** The first four octets of the hardware address, as a signed number. */
  macHighAt(row: number): number {
    return this.#cells[row * COLUMNS + 1] ?? 0
  }

  /** The last two. */
  macLowAt(row: number): number {
    return this.#cells[row * COLUMNS + 2] ?? 0
  }

  /** The state in `struct ndmsg`. */
  stateAt(row: number): number {
    return this.#bitsAt(row) & STATE_MASK
  }

  /** Nothing but permanent. */
  isPermanent(row: number): boolean {
    return this.stateAt(row) === PERMANENT
  }

  isProxy(row: number): boolean {
    return (this.#bitsAt(row) & (PROXY << FLAGS_SHIFT)) !== 0
  }

  push(address: number, high: number, low: number, bits: number): void {
    this.#cells.push(address, high, low, bits)
  }

  #bitsAt(row: number): number {
    return this.#cells[row * COLUMNS + 3] ?? 0
  }
}

const COLUMNS = 4
const STATE_MASK = 0xffff
const FLAGS_SHIFT = 16
const PERMANENT = 0x80
const SELF = 0x2
const PROXY = 0x8
/** Above state and flags. */
const HAS_ADDRESS = 1 << 24
const HAS_MAC = 1 << 25
const ATTR = { address: 1, mac: 2 }
const ADDRESS_ATTRIBUTE_OCTETS = 8
const MAC_ATTRIBUTE_OCTETS = 10
/** `struct ndmsg`. */
const ROW_HEADER_OCTETS = 12

/** One reader a list. */
export class NeighbourColumnsReader {
  readonly rows = new NeighbourColumns()
  readonly #table: NeighbourTable
  /** Type and flags, and sequence number, of the last message that was a row. */
  #kind = -1
  #sequence = -1

  constructor(table: NeighbourTable) {
    this.#table = table
  }

  /** Takes the rows of one datagram; a message whose header is not that of the last row is shown to `isRow`. */
  take(octets: Uint8Array, isRow: (message: Message) => boolean): void {
    const view = new DataView(octets.buffer, octets.byteOffset, octets.length)
    for (let from = 0; from < octets.length; ) {
      const message = this.#isLikeLast(view, from) ? undefined : readMessage(new Cursor(view, 'host', from))
      const length = view.getUint32(from, HOST_IS_LITTLE)
      if (message === undefined || this.#accepts(message, view, from, isRow))
        this.#takeRow(view, from + HEADER_OCTETS, from + length)
      from += alignedTo4(length)
    }
  }

  #isLikeLast(view: DataView, from: number): boolean {
    if (from + HEADER_OCTETS + ROW_HEADER_OCTETS > view.byteLength) return false
    const length = view.getUint32(from, HOST_IS_LITTLE)
    return (
      view.getInt32(from + 4, HOST_IS_LITTLE) === this.#kind &&
      view.getInt32(from + 8, HOST_IS_LITTLE) === this.#sequence &&
      length >= HEADER_OCTETS + ROW_HEADER_OCTETS &&
      from + length <= view.byteLength
    )
  }

  #accepts(message: Message, view: DataView, from: number, isRow: (message: Message) => boolean): boolean {
    if (!isRow(message)) return false
    if (message.body.left < ROW_HEADER_OCTETS)
      throw new WireFault('neighbour', { wanted: ROW_HEADER_OCTETS, left: message.body.left })
    this.#kind = view.getInt32(from + 4, HOST_IS_LITTLE)
    this.#sequence = view.getInt32(from + 8, HOST_IS_LITTLE)
    return true
  }

  #takeRow(view: DataView, from: number, end: number): void {
    const isForwarding = this.#table === 'forwarding'
    const flags = view.getUint8(from + 10)
    if (view.getUint8(from) !== (isForwarding ? AF_BRIDGE : AF_INET) || (isForwarding && (flags & SELF) === 0)) return
    let bits = view.getUint16(from + 8, HOST_IS_LITTLE) | (flags << FLAGS_SHIFT)
    let [address, high, low] = [0, 0, 0]
    for (let at = from + ROW_HEADER_OCTETS; at < end; ) {
      const length = attributeLength(view, at, end)
      const type = view.getUint16(at + 2, HOST_IS_LITTLE) & ATTRIBUTE_TYPE_MASK
      if (type === ATTR.address && length === ADDRESS_ATTRIBUTE_OCTETS) {
        address = view.getInt32(at + ATTRIBUTE_HEADER_OCTETS)
        bits |= HAS_ADDRESS
      } else if (type === ATTR.mac && length === MAC_ATTRIBUTE_OCTETS) {
        high = view.getInt32(at + ATTRIBUTE_HEADER_OCTETS)
        low = view.getUint16(at + ATTRIBUTE_HEADER_OCTETS + 4)
        bits |= HAS_MAC
      }
      at += alignedTo4(length)
    }
    if ((bits & (isForwarding ? HAS_MAC : HAS_ADDRESS)) !== 0) this.rows.push(address, high, low, bits)
  }
}

function attributeLength(view: DataView, at: number, end: number): number {
  if (at + ATTRIBUTE_HEADER_OCTETS > end)
    throw new WireFault('netlink attribute', { wanted: ATTRIBUTE_HEADER_OCTETS, left: end - at })
  const length = view.getUint16(at, HOST_IS_LITTLE)
  if (length < ATTRIBUTE_HEADER_OCTETS || at + length > end)
    throw new WireFault('netlink attribute length', { wanted: length, left: end - at })
  return length
}

function alignedTo4(length: number): number {
  return (length + 3) & ~3
}
