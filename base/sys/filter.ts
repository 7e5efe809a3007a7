/** Classic BPF programs as filters of sockets: what they refuse never reaches the process. */
import { libc } from './libc.ts'
import { SOL_SOCKET, setsockopt } from './socket.ts'

const SO_ATTACH_FILTER = 26
const IS_LITTLE = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1

/** Offsets from here on count from the network header. `SKF_NET_OFF`. */
const NETWORK_HEADER = 0xfff00000
const LOAD_BYTE = 0x30
const JUMP_IF_AT_LEAST = 0x35
const RETURN = 0x06
const ALL = 0xffffffff

/** One instruction: code, jumps if true and if false, operand. */
type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, operand: number]

/** Lets in only datagrams whose octet at `offset` of the network header is at least `least`. */
export function attachOctetFilter(fd: number, offset: number, least: number): void {
  attachFilter(fd, [
    [LOAD_BYTE, 0, 0, NETWORK_HEADER + offset],
    [JUMP_IF_AT_LEAST, 0, 1, least],
    [RETURN, 0, 0, ALL],
    [RETURN, 0, 0, 0],
  ])
}

function attachFilter(fd: number, program: readonly Instruction[]): void {
  const code = new DataView(new ArrayBuffer(program.length * 8))
  for (const [index, [op, ifTrue, ifFalse, operand]] of program.entries()) {
    code.setUint16(index * 8, op, IS_LITTLE)
    code.setUint8(index * 8 + 2, ifTrue)
    code.setUint8(index * 8 + 3, ifFalse)
    code.setUint32(index * 8 + 4, operand, IS_LITTLE)
  }
  const bytes = new Uint8Array(code.buffer)
  const head = new DataView(new ArrayBuffer(16))
  head.setUint16(0, program.length, IS_LITTLE)
  head.setBigUint64(8, libc().addressOf(bytes), IS_LITTLE)
  // The kernel copies the program before the call returns.
  setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, new Uint8Array(head.buffer))
}
