/** A channel that answers by a script, for tests of the client: each request is shown to a function that returns the datagrams to receive. */
import { Cursor } from '@network/base/bytes/cursor.ts'
import { Writer } from '@network/base/bytes/writer.ts'
import type { Channel, Received } from '../socket.ts'
import { eachMessage, type MessageHeader, TYPE, writeMessage } from '../wire.ts'

/** What to answer to the messages of one send; a word stands for what the socket itself reports. */
export type Script = (requests: readonly MessageHeader[]) => readonly Received[]

export class ScriptedChannel implements Channel {
  readonly receiveBuffer: number
  readonly sends: (readonly MessageHeader[])[] = []
  readonly #script: Script
  readonly #waiting: Received[] = []
  closed = false

  constructor(script: Script, receiveBuffer = 8 << 20) {
    this.#script = script
    this.receiveBuffer = receiveBuffer
  }

  send(datagram: Uint8Array): void {
    const requests: MessageHeader[] = []
    eachMessage(datagram, ({ type, flags, sequence, port }) => requests.push({ type, flags, sequence, port }))
    this.sends.push(requests)
    this.#waiting.push(...this.#script(requests))
  }

  receive(): Received {
    return this.#waiting.shift() ?? 'nothing'
  }

  waitFor(): boolean {
    return this.#waiting.length > 0
  }

  [Symbol.dispose](): void {
    this.closed = true
  }
}

/** An acknowledgement as the kernel writes it with NETLINK_CAP_ACK. */
export function ackOf(request: MessageHeader, errno = 0): Uint8Array {
  const header = { type: TYPE.error, flags: 0x100, sequence: request.sequence, port: 1 }
  return message(header, writer => writer.i32(-errno).u32(16).u16(request.type).u16(request.flags).u32(request.sequence).u32(0))
}

/** The end of a dump. */
export function doneOf(request: MessageHeader, flags = 0): Uint8Array {
  return message({ type: TYPE.done, flags, sequence: request.sequence, port: 1 }, writer => writer.i32(0))
}

/** One message as a datagram. */
export function message(header: MessageHeader, body: (writer: Writer) => void): Uint8Array {
  const writer = new Writer('host')
  writeMessage(writer, header, body)
  return writer.finish()
}

/** The body that an instruction or a row writes, ready to be read. */
export function bodyOf(write: (writer: Writer) => void): Cursor {
  const writer = new Writer('host')
  write(writer)
  return new Cursor(writer.finish(), 'host')
}
