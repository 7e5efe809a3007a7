/** Looks at all attributes of a reflected route: what its client said, and what a reflector adds. RFC 4456 §8. */
import { formatIpv4, toIpv4 } from '@network/base/net/ipv4.ts'
import { asPathOf, communitiesOf, type Dress } from './messages.ts'

const EXTENDED_LENGTH = 0x10

/** Attribute by attribute: its type with the value that it must have. */
export type Wanted = ReadonlyMap<number, { readonly name: string; readonly value: Uint8Array }>

/** What a client must see of a route that another client announced in this dress. */
export function wantedOf(dress: Dress, clusterId: number): Wanted {
  return new Map([
    [1, { name: 'ORIGIN', value: Uint8Array.of(0) }],
    [2, { name: 'AS_PATH', value: asPathOf(dress.set).subarray(3) }],
    [3, { name: 'NEXT_HOP', value: word(dress.nextHop) }],
    [4, { name: 'MED', value: word(dress.version) }],
    [5, { name: 'LOCAL_PREF', value: word(100) }],
    ...(dress.set === 0 ? [] : [[8, { name: 'COMMUNITIES', value: communitiesOf(dress.set).subarray(3) }] as const]),
    [9, { name: 'ORIGINATOR_ID', value: word(dress.nextHop) }],
    [10, { name: 'CLUSTER_LIST', value: word(clusterId) }],
  ])
}

/** What is wrong with the attributes, undefined when each is there with its value and no other is. */
export function wrongIn(attributes: Uint8Array, wanted: Wanted): string | undefined {
  const found = read(attributes)
  for (const [type, { name, value }] of wanted) {
    const got = found.get(type)
    if (got === undefined) return `${name} is missing`
    if (Buffer.compare(got, value) !== 0) return `${name} is ${hex(got)} and should be ${hex(value)}`
  }
  const more = [...found.keys()].find(type => !wanted.has(type))
  return more === undefined ? undefined : `attribute ${more} was never announced`
}

function read(attributes: Uint8Array): Map<number, Uint8Array> {
  const found = new Map<number, Uint8Array>()
  for (let at = 0; at + 3 <= attributes.length; ) {
    const isLong = ((attributes[at] ?? 0) & EXTENDED_LENGTH) !== 0
    const value = at + (isLong ? 4 : 3)
    const length = isLong ? ((attributes[at + 2] ?? 0) << 8) | (attributes[at + 3] ?? 0) : (attributes[at + 2] ?? 0)
    found.set(attributes[at + 1] ?? 0, attributes.subarray(value, value + length))
    at = value + length
  }
  return found
}

function word(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255)
}

function hex(bytes: Uint8Array): string {
  const [a, b, c, d] = bytes
  const isWord = bytes.length === 4 && a !== undefined && b !== undefined && c !== undefined && d !== undefined
  const text = Buffer.from(bytes).toString('hex')
  return isWord ? `${text} (${formatIpv4(toIpv4(((a << 24) | (b << 16) | (c << 8) | d) >>> 0))})` : text === '' ? 'empty' : text
}
