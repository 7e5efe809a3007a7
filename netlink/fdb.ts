/** The forwarding table of a VXLAN device: which peer an Ethernet address lives behind. linux/neighbour.h, bridge(8). */
import type { Cursor } from '@network/base/bytes/cursor.ts'
import type { Writer } from '@network/base/bytes/writer.ts'
import { formatIpv4, type Ipv4, toIpv4 } from '@network/base/net/ipv4.ts'
import { type IfIndex, toIfIndex } from './link.ts'
import { formatMac, type MacWords, mac } from './mac.ts'
import {
  AF_BRIDGE,
  eachAttribute,
  FLAG,
  type Instruction,
  MessageTemplate,
  readIpv4,
  TYPE,
  writeAttribute,
  writeIpv4,
  writeNumber,
} from './wire.ts'

export interface FdbEntry {
  readonly link: IfIndex
  readonly mac: string
  /** The peer's underlay address; undefined where the entry names none, or one that is not IPv4. */
  readonly remote: Ipv4 | undefined
  /** Neither ages nor was learned. */
  readonly permanent: boolean
}

/** Sets the one peer that an address lives behind, whatever it was before. */
export function setFdbEntry(link: IfIndex, hardware: string, remote: Ipv4): Instruction {
  return entryInstruction('set', { type: TYPE.newNeighbour, flags: FLAG.create | FLAG.replace }, { link, mac: hardware, remote })
}

/** What `setFdbEntry` sends, for many entries of one link. */
export class FdbPattern {
  readonly #template: MessageTemplate

  constructor(link: IfIndex) {
    const entry = setFdbEntry(link, '00:00:00:00:00:00', toIpv4(0))
    this.#template = new MessageTemplate(entry, writer => entry.write(writer))
  }

  write(writer: Writer, { high, low }: MacWords, remote: Ipv4, sequence: number): void {
    const body = this.#template.write(writer, sequence)
    writer.patchU32be(body + BODY_AT.mac, high)
    writer.patchU16be(body + BODY_AT.mac + 4, low)
    writer.patchU32be(body + BODY_AT.remote, remote)
  }
}
/** Where values are in the body: `struct ndmsg`, a hardware address and an address, each in an attribute. */
const BODY_AT = { mac: 16, remote: 28 }

/** Removes an entry; ENOENT when there is none. Without a peer all entries of the address go. */
export function deleteFdbEntry(link: IfIndex, hardware: string, remote: Ipv4 | undefined): Instruction {
  return entryInstruction('delete', { type: TYPE.deleteNeighbour, flags: 0 }, { link, mac: hardware, remote })
}

/** `66:00:00:00:00:0c dev #7 dst 172.16.35.4`. */
export function formatFdbEntry({ link, mac: hardware, remote }: Pick<FdbEntry, 'link' | 'mac' | 'remote'>): string {
  return `${hardware} dev #${link}${remote === undefined ? '' : ` dst ${formatIpv4(remote)}`}`
}

const ATTR = { remote: 1, mac: 2, filterLink: 8 }
/** The device's own table, not that of a bridge which it is a port of. */
const SELF = 0x02
const PERMANENT = 0x80
const NOARP = 0x40

/** Of the state in `struct ndmsg`. */
export function isPermanent(state: number): boolean {
  return (state & PERMANENT) !== 0
}

/** Asks for the entries of one link. */
export function writeFdbQuery(writer: Writer, link: IfIndex): void {
  writeHeader(writer, 0, { state: 0, flags: 0 })
  writeNumber(writer, ATTR.filterLink, link)
}

/** Reads the body of a neighbour message; undefined when it is not about a device's own forwarding table. */
export function readFdbEntry(body: Cursor): FdbEntry | undefined {
  const family = body.u8()
  body.skip(3)
  const link = toIfIndex(body.i32())
  const state = body.u16()
  const flags = body.u8()
  body.skip(1)
  if (family !== AF_BRIDGE || (flags & SELF) === 0) return undefined
  let hardware: string | undefined
  let remote: Ipv4 | undefined
  eachAttribute(body, (type, value) => {
    if (type === ATTR.mac && value.left === 6) hardware = formatMac(value.rest())
    if (type === ATTR.remote && value.left === 4) remote = readIpv4(value)
  })
  if (hardware === undefined) return undefined
  return { link, mac: hardware, remote, permanent: isPermanent(state) }
}

function entryInstruction(
  verb: 'set' | 'delete',
  message: Pick<Instruction, 'type' | 'flags'>,
  entry: Pick<FdbEntry, 'link' | 'mac' | 'remote'>,
): Instruction {
  return {
    ...message,
    doing: `${verb} forwarding entry`,
    on: () => formatFdbEntry(entry),
    write: writer => {
      writeHeader(writer, entry.link, { state: PERMANENT | NOARP, flags: SELF })
      writeAttribute(writer, ATTR.mac, value => value.bytes(mac(entry.mac)))
      if (entry.remote !== undefined) writeIpv4(writer, ATTR.remote, entry.remote)
    },
  }
}

/** `struct ndmsg`. */
function writeHeader(writer: Writer, link: number, { state, flags }: { readonly state: number; readonly flags: number }): void {
  writer.u8(AF_BRIDGE).u8(0).u16(0).i32(link).u16(state).u8(flags).u8(0)
}
