/** Reads captured bytes: `#` and the command that made them, then lines of hexadecimal octets; `;` begins a remark. */
import { readFileSync } from 'node:fs'

/** The captured datagrams of each command, in order. */
export type Fixtures = ReadonlyMap<string, readonly Uint8Array[]>

/** Reads `fixtures/<name>.txt`. */
export function readFixtures(name: 'requests' | 'answers'): Fixtures {
  const text = readFileSync(new URL(`../fixtures/${name}.txt`, import.meta.url), 'utf8')
  const found = new Map<string, Uint8Array[]>()
  for (const block of text.split('\n\n').filter(block => block.startsWith('#'))) {
    const [title = '', ...lines] = block.trim().split('\n')
    const command = title.replace(/^# */, '')
    found.set(command, [...(found.get(command) ?? []), fromHex(lines.join(' '))])
  }
  return found
}

/** The first captured datagram of a command. */
export function fixture(fixtures: Fixtures, command: string): Uint8Array {
  const bytes = fixtures.get(command)?.[0]
  if (bytes === undefined) throw new TypeError(`no fixture was made by: ${command}`)
  return bytes
}

/** Octets as text, for comparisons that people can read. */
export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, octet => octet.toString(16).padStart(2, '0')).join(' ')
}

function fromHex(text: string): Uint8Array {
  return Uint8Array.from(text.trim().split(/\s+/), octet => Number.parseInt(octet, 16))
}
