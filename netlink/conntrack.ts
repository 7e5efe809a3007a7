/** Forgets connections of an address that the kernel still tracks. linux/netfilter/nfnetlink_conntrack.h. */
import { Cursor } from '@network/base/bytes/cursor.ts'
import { Writer } from '@network/base/bytes/writer.ts'
import { formatIpv4, type Ipv4, toIpv4 } from '@network/base/net/ipv4.ts'
import { Fault } from '@network/base/run/fault.ts'
import { errnoName } from '@network/base/sys/errno.ts'
import { type Channel, NetlinkSocket } from './socket.ts'
import { AF_INET, eachAttribute, eachMessage, FLAG, readAck, TYPE, writeAttribute, writeMessage } from './wire.ts'

const SUBSYSTEM = 1 << 8
const MESSAGE = { new: SUBSYSTEM | 0, get: SUBSYSTEM | 1, delete: SUBSYSTEM | 2 }
const NESTED = 0x8000
const ENTRY = { original: 1, reply: 2, zone: 18 }
const TUPLE_IP = 1
const IP = { source: 1, destination: 2 }
const SILENCE_MS = 5000

/** A connection as the kernel keeps it: its two directions, and what names it in a request to forget it. */
interface Tracked {
  readonly addresses: readonly Ipv4[]
  readonly original: Uint8Array
  readonly zone: Uint8Array | undefined
}

export class Conntrack implements Disposable {
  readonly #channel: Channel
  readonly #writer = new Writer('host', 4096)
  #sequence = 0

  /** Of this network namespace, or of that whose path is given. A kernel without nfnetlink is a Fault. */
  static open(options: { readonly namespace?: string | undefined } = {}): Conntrack {
    return new Conntrack(NetlinkSocket.open({ ...options, family: 'netfilter' }))
  }

  /** Owns the channel. */
  constructor(channel: Channel) {
    this.#channel = channel
  }

  /**
   * Forgets every connection that has such an address at either end, before or after translation. Returns how many; a kernel that tracks none
   * has none. What ends by itself meanwhile is as well. The kernel goes through all buckets of its table, which takes ten milliseconds.
   */
  forget(isMeant: (address: Ipv4) => boolean): number {
    const tracked = this.#list(isMeant)
    for (const each of tracked) this.#delete(each)
    return tracked.length
  }

  [Symbol.dispose](): void {
    this.#channel[Symbol.dispose]()
  }

  #list(isMeant: (address: Ipv4) => boolean): Tracked[] {
    const found: Tracked[] = []
    this.#exchange(MESSAGE.get, FLAG.dump, 'connections', {
      write: () => undefined,
      take: body => {
        const entry = readEntry(body)
        if (entry?.addresses.some(isMeant) === true) found.push(entry)
      },
      // No module tracks connections here.
      harmless: ['EINVAL', 'EOPNOTSUPP', 'ENOENT'],
    })
    return found
  }

  #delete({ addresses, original, zone }: Tracked): void {
    this.#exchange(MESSAGE.delete, FLAG.ack, `the connection of ${addresses.map(formatIpv4).join(', ')}`, {
      write: writer => {
        writeAttribute(writer, ENTRY.original | NESTED, value => value.bytes(original))
        if (zone !== undefined) writeAttribute(writer, ENTRY.zone, value => value.bytes(zone))
      },
      take: () => undefined,
      harmless: ['ENOENT'],
    })
  }

  #exchange(
    type: number,
    flags: number,
    on: string,
    {
      write,
      take,
      harmless,
    }: {
      readonly write: (writer: Writer) => void
      readonly take: (body: Cursor) => void
      readonly harmless: readonly string[]
    },
  ): void {
    const doing = type === MESSAGE.get ? 'list' : 'forget'
    this.#writer.reset()
    const sequence = ++this.#sequence
    writeMessage(this.#writer, { type, flags: flags | FLAG.request, sequence, port: 0 }, writer => {
      // struct nfgenmsg
      writer.u8(AF_INET).u8(0).u16(0)
      write(writer)
    })
    this.#channel.send(this.#writer.peek())
    for (let over = false; !over; ) {
      const got = this.#channel.receive()
      if (got === 'overrun' || (got === 'nothing' && !this.#channel.waitFor(SILENCE_MS)))
        throw new Fault('netlink.silent', { doing, on, says: 'the kernel did not answer whole' })
      if (got === 'nothing') continue
      eachMessage(got, message => {
        if (message.sequence !== sequence) return
        if (message.type === MESSAGE.new) take(message.body)
        if (message.type === TYPE.done) over = true
        if (message.type !== TYPE.error) return
        over = true
        const { errno, text } = readAck(message)
        if (errno !== 0 && !harmless.includes(errnoName(errno)))
          throw new Fault('netlink.refused', { doing, on, errno: errnoName(errno), says: text ?? errnoName(errno) })
      })
    }
  }
}

function readEntry(body: Cursor): Tracked | undefined {
  const addresses: Ipv4[] = []
  let original: Uint8Array | undefined
  let zone: Uint8Array | undefined
  body.skip(4)
  eachAttribute(body, (type, value) => {
    if (type === ENTRY.zone) zone = value.rest().slice()
    if (type !== ENTRY.original && type !== ENTRY.reply) return
    // The datagram's octets are the socket's: what is kept is copied.
    const tuple = value.rest().slice()
    if (type === ENTRY.original) original = tuple
    addresses.push(...addressesIn(tuple))
  })
  return original === undefined ? undefined : { addresses, original, zone }
}

function addressesIn(tuple: Uint8Array): Ipv4[] {
  const found: Ipv4[] = []
  eachAttribute(new Cursor(tuple, 'host'), (type, value) => {
    if (type !== TUPLE_IP) return
    eachAttribute(value, (which, address) => {
      if ((which === IP.source || which === IP.destination) && address.left === 4) found.push(toIpv4(address.u32be()))
    })
  })
  return found
}
