/** Fields that mean something on a network: addresses, prefixes, AS numbers, communities, ports. */

import { type AnyAddress, formatAddress, parseAddress } from '@network/base/net/any-address.ts'
import { type AnyPrefix, formatAnyPrefix, parseAnyPrefix } from '@network/base/net/any-prefix.ts'
import { formatIpv4, type Ipv4, isUsableHost, parseIpv4 } from '@network/base/net/ipv4.ts'
import { formatIpv6, type Ipv6, parseIpv6 } from '@network/base/net/ipv6.ts'
import { formatPrefix, type Prefix, parseInterfaceAddress, parsePrefix } from '@network/base/net/prefix.ts'
import { type Seconds, seconds } from '@network/base/time/units.ts'
import { type Field, leaf, type Made, named, parsed, refuse } from './field.ts'
import { text } from './plain.ts'

const IPV4 = '([0-9]{1,3}\\.){3}[0-9]{1,3}'

export function address4(doc: string): Field<Ipv4> {
  return parsed(doc, {
    type: 'IPv4 address',
    json: { pattern: `^${IPV4}$` },
    parse: input => made(parseIpv4(input), `"${input}" is not an IPv4 address such as 172.16.20.11`),
    print: formatIpv4,
  })
}

export function address6(doc: string): Field<Ipv6> {
  return parsed(doc, {
    type: 'IPv6 address',
    parse: input => made(parseIpv6(input), `"${input}" is not an IPv6 address such as 2001:db8::11`),
    print: formatIpv6,
  })
}

export function address(doc: string): Field<AnyAddress> {
  return parsed<AnyAddress>(doc, {
    type: 'IP address',
    parse: input => made(parseAddress(input), `"${input}" is not an address such as 172.16.20.11 or 2001:db8::11`),
    print: formatAddress,
  })
}

export function prefix4(doc: string): Field<Prefix> {
  return parsed(doc, { type: 'IPv4 prefix', json: { pattern: `^${IPV4}/[0-9]{1,2}$` }, parse: parsePrefix, print: formatPrefix })
}

/** A prefix of either family. */
export function anyPrefixField(doc: string): Field<AnyPrefix> {
  return parsed<AnyPrefix>(doc, { type: 'prefix', parse: parseAnyPrefix, print: formatAnyPrefix })
}

/** A prefix of either family, or an address, which is the prefix that holds only it. */
export function net(doc: string): Field<AnyPrefix> {
  return parsed<AnyPrefix>(doc, {
    type: 'prefix or address',
    parse: input => (input.includes('/') || parseAddress(input) === undefined ? parseAnyPrefix(input) : hostPrefix(input)),
    print: formatAnyPrefix,
  })
}

function hostPrefix(input: string): Made<AnyPrefix> {
  return parseAnyPrefix(`${input}/${input.includes(':') ? 128 : 32}`)
}

export interface InterfaceAddress {
  readonly address: Ipv4
  readonly length: number
}

/** An address that others reach, with the length of its subnet: `172.16.20.11/24`. */
export function interfaceAddress(doc: string): Field<InterfaceAddress> {
  return parsed(doc, {
    type: 'IPv4 address with the length of its subnet',
    json: { pattern: `^${IPV4}/[0-9]{1,2}$` },
    parse(input): Made<InterfaceAddress> {
      const value = parseInterfaceAddress(input)
      if (value === undefined)
        return { ok: false, says: `"${input}" is not an address with its subnet's length, such as 172.16.20.11/24` }
      if (!isUsableHost(value.address)) return { ok: false, says: `must be a unicast address, not ${input}` }
      return { ok: true, value }
    },
    print: value => `${formatIpv4(value.address)}/${value.length}`,
  })
}

/** One address, written as a /32. */
export function hostRoute(doc: string): Field<Ipv4> {
  return parsed(doc, {
    type: 'IPv4 address with /32',
    json: { pattern: `^${IPV4}/32$` },
    parse(input): Made<Ipv4> {
      const read = parsePrefix(input)
      if (read.ok && read.value.length === 32) return { ok: true, value: read.value.address }
      return { ok: false, says: `"${input}" is not a host address such as 10.244.7.5/32` }
    },
    print: value => `${formatIpv4(value)}/32`,
  })
}

const ASN_MAX = 4294967295

/** A four-octet AS number (RFC 6793); 0 is reserved (RFC 7607). Text in RFC 5396's dotted form is read too. */
export function asn(doc: string): Field<number> {
  return leaf<number>({
    doc,
    type: 'AS number',
    bounds: `1 to ${ASN_MAX}`,
    json: { type: 'integer', format: 'int64', minimum: 1, maximum: ASN_MAX },
    read(input, at, told) {
      const value = typeof input === 'string' ? parseAsn(input) : input
      if (typeof value !== 'number') return refuse(told, at, `must be an AS number such as 64512, not ${named(input)}`)
      if (!Number.isInteger(value))
        return refuse(told, at, `must be a whole number, not ${value}; an AS number in dotted form needs quotes, as "1.10"`)
      if (value < 1 || value > ASN_MAX) return refuse(told, at, `must be 1 to ${ASN_MAX}, not ${value}`)
      return value
    },
    write: value => value,
  })
}

/** `64512`, or `1.10` for 65546. */
function parseAsn(input: string): number | undefined {
  if (/^\d{1,10}$/.test(input)) return Number(input)
  const [, high, low] = /^(\d{1,5})\.(\d{1,5})$/.exec(input) ?? []
  if (high === undefined || low === undefined || Number(high) > 65535 || Number(low) > 65535) return undefined
  return Number(high) * 65536 + Number(low)
}

/** `64512:300`, or three numbers for a large community (RFC 8092). */
export function community(doc: string): Field<string> {
  return parsed(doc, {
    type: 'community',
    json: { pattern: '^[0-9]{1,10}(:[0-9]{1,10}){1,2}$' },
    parse: input => made(isCommunity(input) ? input : undefined, communitySays(input)),
    print: value => value,
  })
}

function communitySays(input: string): string {
  return `"${input}" is no community: write two numbers up to 65535, as 64512:300, or three up to 4294967295, as 64512:300:100`
}

export function isCommunity(input: string): boolean {
  const parts = input.split(':')
  if (!parts.every(part => /^(0|[1-9]\d{0,9})$/.test(part))) return false
  const most = parts.length === 2 ? 65535 : ASN_MAX
  return (parts.length === 2 || parts.length === 3) && parts.every(part => Number(part) <= most)
}

export function mac(doc: string): Field<string> {
  return text(doc, {
    pattern: /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/,
    says: 'must be a MAC address in lower case, such as ee:ee:ee:ee:ee:ee',
    type: 'MAC address',
  })
}

const ZERO_MAC = '00:00:00:00:00:00'

/** The Ethernet address of one interface, in lower case: neither zero nor a group's. */
export function unicastMac(doc: string): Field<string> {
  return parsed(doc, {
    type: 'MAC address',
    json: { pattern: '^[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}$' },
    parse(input): Made<string> {
      if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(input))
        return { ok: false, says: `"${input}" is not an Ethernet address such as 66:3f:0a:91:c2:07` }
      if ((Number.parseInt(input.slice(0, 2), 16) & 1) === 1)
        return { ok: false, says: 'must be the address of one interface, not of a group' }
      return input === ZERO_MAC ? { ok: false, says: 'must not be zero' } : { ok: true, value: input.toLowerCase() }
    },
    print: value => value,
  })
}

/** The name of a network interface; the kernel takes 15 characters. */
export function interfaceName(doc: string): Field<string> {
  return text(doc, {
    max: 15,
    pattern: /^[^\s/]+$/,
    says: 'must be the name of an interface, without spaces and "/"',
    type: 'interface name',
  })
}

const UNITS: Readonly<Record<string, number>> = { h: 3600, m: 60, s: 1 }
const DURATION = /^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/

/** A duration of whole seconds, written as `90s`, `2m` or `1h30m`. */
export function duration(doc: string, { min, max }: { readonly min: number; readonly max: number }): Field<Seconds> {
  return parsed(doc, {
    type: 'duration',
    example: input => (typeof input === 'number' ? `: write ${input}s` : ''),
    bounds: `${formatDuration(seconds(min))} to ${formatDuration(seconds(max))}`,
    json: { pattern: '^([0-9]+h)?([0-9]+m)?([0-9]+s)?$', minLength: 2 },
    parse(input): Made<Seconds> {
      const value = parseDuration(input)
      if (value === undefined) return { ok: false, says: `"${input}" is no duration: write 90s, 2m or 1h30m` }
      if (value >= min && value <= max) return { ok: true, value: seconds(value) }
      return { ok: false, says: `must be ${formatDuration(seconds(min))} to ${formatDuration(seconds(max))}, not ${input}` }
    },
    print: formatDuration,
  })
}

function parseDuration(input: string): number | undefined {
  const found = DURATION.exec(input)
  if (found === null || input === '') return undefined
  return ['h', 'm', 's'].reduce((sum, unit, at) => sum + Number(found[at + 1] ?? 0) * (UNITS[unit] ?? 0), 0)
}

function formatDuration(value: Seconds): string {
  return value >= 60 && value % 60 === 0 && value < 600 ? `${value / 60}m` : `${value}s`
}

function made<T>(value: T | undefined, says: string): Made<T> {
  return value === undefined ? { ok: false, says } : { ok: true, value }
}
