/** Forgets connections of an address that the kernel still tracks. linux/netfilter/nfnetlink_conntrack.h. */
import { setImmediate } from 'node:timers/promises'
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
/** Datagrams read, or connections forgotten, before others get their turn. */
const AT_ONCE = 32

interface Exchange {
  readonly doing: 'list' | 'forget'
  readonly on: string
  readonly sequence: number
  readonly take: (body: Cursor) => void
  readonly harmless: readonly string[]
}

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
   * has none. What ends by itself meanwhile is as well. The kernel goes through all buckets of its table, which takes ten milliseconds; of a
   * long list others get their turn in between. One call at a time.
   */
  async forget(isMeant: (address: Ipv4) => boolean): Promise<number> {
    const tracked = await this.#list(isMeant)
    for (const [at, each] of tracked.entries()) {
      if (at % AT_ONCE === AT_ONCE - 1) await setImmediate()
      this.#delete(each)
    }
    return tracked.length
  }

  [Symbol.dispose](): void {
    this.#channel[Symbol.dispose]()
  }

  async #list(isMeant: (address: Ipv4) => boolean): Promise<Tracked[]> {
    const found: Tracked[] = []
    const listing: Exchange = {
      ...{ doing: 'list', on: 'connections', sequence: this.#send(MESSAGE.get, FLAG.dump, () => undefined) },
      take: body => {
        const entry = readEntry(body)
        if (entry?.addresses.some(isMeant) === true) found.push(entry)
      },
      // No module tracks connections here.
      harmless: ['EINVAL', 'EOPNOTSUPP', 'ENOENT'],
    }
    for (let datagrams = 1; !this.#isOver(listing); datagrams++) if (datagrams % AT_ONCE === 0) await setImmediate()
    return found
  }

  #delete({ addresses, original, zone }: Tracked): void {
    const sequence = this.#send(MESSAGE.delete, FLAG.ack, writer => {
      writeAttribute(writer, ENTRY.original | NESTED, value => value.bytes(original))
      if (zone !== undefined) writeAttribute(writer, ENTRY.zone, value => value.bytes(zone))
    })
    const on = `the connection of ${addresses.map(formatIpv4).join(', ')}`
    const deletion: Exchange = { doing: 'forget', on, sequence, take: () => undefined, harmless: ['ENOENT'] }
    while (!this.#isOver(deletion));
  }

  /** Returns the sequence number of the request. */
  #send(type: number, flags: number, write: (writer: Writer) => void): number {
    this.#writer.reset()
    const sequence = ++this.#sequence
    writeMessage(this.#writer, { type, flags: flags | FLAG.request, sequence, port: 0 }, writer => {
      // struct nfgenmsg
      writer.u8(AF_INET).u8(0).u16(0)
      write(writer)
    })
    this.#channel.send(this.#writer.peek())
    return sequence
  }

  /** Takes one datagram; true when it was the last. */
  #isOver({ doing, on, sequence, take, harmless }: Exchange): boolean {
    const got = this.#channel.receive()
    if (got === 'overrun' || (got === 'nothing' && !this.#channel.waitFor(SILENCE_MS)))
      throw new Fault('netlink.silent', { doing, on, says: 'the kernel did not answer whole' })
    if (got === 'nothing') return false
    let over = false
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
    return over
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
