/**
 * Changes elements of nftables sets and chains of devices, all or none, and sees that they are as told: what nft(8) does, without a process.
 * linux/netfilter/nf_tables.h, linux/netfilter/nfnetlink.h.
 */
import { Writer } from '@network/base/bytes/writer.ts'
import type { Ipv4 } from '@network/base/net/ipv4.ts'
import { type Channel, NetlinkSocket } from './socket.ts'
import { CHAIN_FOUND, type ChainChange, chainParts, chainQuestion, type Part } from './source-chain.ts'
import { eachMessage, FLAG, readAck, TYPE, writeAttribute, writeMessage, writeText } from './wire.ts'

/** A field of an element's key, as wide as the set's type says. */
export type KeyField = { readonly is: 'address'; readonly address: Ipv4 } | { readonly is: 'interface'; readonly name: string }

export interface ElementChange {
  readonly set: string
  readonly verb: 'add' | 'delete'
  readonly key: readonly KeyField[]
}

export type RulesetChange = ElementChange | ChainChange

const NFNL = { batchBegin: 0x10, batchEnd: 0x11 }
const SUBSYSTEM = 10
const MESSAGE = { newElement: 12, getElement: 13, deleteElement: 14 }
/** NFPROTO_INET: tables of family `inet`. */
const INET = 1
const LIST = { table: 1, set: 2, elements: 3 }
const NESTED = 0x8000
const LIST_ELEMENT = 1
const ELEMENT_KEY = 1
const DATA_VALUE = 1
/** IFNAMSIZ: the width of type `ifname`. */
const INTERFACE_OCTETS = 16
const SILENCE_MS = 5000
/** So many elements that a batch fits the kernel's receive buffer. */
export const MOST_CHANGES = 1000

export class SetElements implements Disposable {
  readonly #channel: Channel
  readonly #table: string
  readonly #writer = new Writer('host', 4096)
  #sequence = 0
  #port: number | undefined

  /** Of one table of family `inet`; a kernel without nftables is a Fault. */
  static open(table: string): SetElements {
    return new SetElements(NetlinkSocket.open({ family: 'netfilter' }), table)
  }

  /** Owns the channel. */
  constructor(channel: Channel, table: string) {
    this.#channel = channel
    this.#table = table
  }

  /** The socket's, by which the kernel names whoever changed something; undefined before the first change. */
  get port(): number | undefined {
    return this.#port
  }

  /** True when all were carried out in one transaction and are seen to be so; false when the kernel refused any, and then none was. */
  change(changes: readonly RulesetChange[]): boolean {
    // The kernel says nothing of a transaction without content.
    if (changes.length === 0) return true
    if (changes.length > MOST_CHANGES) return false
    return this.#commit(changes.flatMap(change => this.#partsOf(change))) && changes.every(each => this.#isAsTold(each))
  }

  [Symbol.dispose](): void {
    this.#channel[Symbol.dispose]()
  }

  #commit(parts: readonly Part[]): boolean {
    const first = this.#begin()
    this.#envelope(NFNL.batchBegin)
    // The last one's answer comes after those of all others, and says that the transaction is over.
    for (const [at, part] of parts.entries()) this.#write(part, at === parts.length - 1 ? FLAG.ack : 0)
    this.#envelope(NFNL.batchEnd)
    let refused = false
    this.#exchange((sequence, type, errno) => {
      if (type !== TYPE.error) return false
      refused ||= errno !== 0
      return sequence === first || sequence === first + parts.length
    })
    return !refused
  }

  #isAsTold(change: RulesetChange): boolean {
    this.#begin()
    this.#write('chain' in change ? chainQuestion(change) : this.#element(MESSAGE.getElement, 0, change), FLAG.ack)
    const answer = (SUBSYSTEM << 8) | ('chain' in change ? CHAIN_FOUND : MESSAGE.newElement)
    let found = false
    this.#exchange((_, type, errno) => {
      found ||= type === answer
      return type === TYPE.error || errno !== 0
    })
    return found === (change.verb !== 'delete')
  }

  #begin(): number {
    this.#writer.reset()
    // One exchange has few messages; numbers start afresh long before they are too large.
    if (this.#sequence > 2 ** 31) this.#sequence = 0
    return this.#sequence + 1
  }

  #envelope(type: number): void {
    writeMessage(this.#writer, { type, flags: FLAG.request, sequence: ++this.#sequence, port: 0 }, writer =>
      writer.u8(0).u8(0).u8(0).u8(SUBSYSTEM),
    )
  }

  #partsOf(change: RulesetChange): Part[] {
    if ('chain' in change) return chainParts(change)
    const isNew = change.verb === 'add'
    return [this.#element(isNew ? MESSAGE.newElement : MESSAGE.deleteElement, isNew ? FLAG.create : 0, change)]
  }

  #write({ message, family, flags, write }: Part, more: number): void {
    const sequence = ++this.#sequence
    const header = { type: (SUBSYSTEM << 8) | message, flags: flags | more | FLAG.request, sequence, port: 0 }
    writeMessage(this.#writer, header, writer => {
      writer.u8(family).u8(0).u16(0)
      write(writer)
    })
  }

  #element(message: number, flags: number, { set, key }: ElementChange): Part {
    const write = (writer: Writer) => {
      writeAttribute(writer, LIST.table, inner => writeText(inner, this.#table))
      writeAttribute(writer, LIST.set, inner => writeText(inner, set))
      writeAttribute(writer, LIST.elements | NESTED, list =>
        writeAttribute(list, LIST_ELEMENT | NESTED, element =>
          writeAttribute(element, ELEMENT_KEY | NESTED, data =>
            writeAttribute(data, DATA_VALUE, value => {
              for (const field of key) writeField(value, field)
            }),
          ),
        ),
      )
    }
    return { message, family: INET, flags, write }
  }

  /** Sends what is written and takes messages until `isLast`; of a kernel that is silent or overrun, what is known is that it refused. */
  #exchange(isLast: (sequence: number, type: number, errno: number) => boolean): void {
    while (this.#channel.receive() !== 'nothing');
    this.#channel.send(this.#writer.peek())
    for (let over = false; !over; ) {
      const got = this.#channel.receive()
      if (got === 'overrun') return void isLast(0, TYPE.error, 1)
      if (got === 'nothing') {
        if (!this.#channel.waitFor(SILENCE_MS)) return void isLast(0, TYPE.error, 1)
        continue
      }
      eachMessage(got, message => {
        this.#port = message.port
        over = isLast(message.sequence, message.type, message.type === TYPE.error ? readAck(message).errno : 0) || over
      })
    }
  }
}

function writeField(writer: Writer, field: KeyField): void {
  if (field.is === 'address') {
    writer.u32be(field.address)
    return
  }
  const name = new Uint8Array(INTERFACE_OCTETS)
  name.set(new TextEncoder().encode(field.name).subarray(0, INTERFACE_OCTETS - 1))
  writer.bytes(name)
}
