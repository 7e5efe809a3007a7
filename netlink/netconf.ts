/** The few IPv4 settings of a link that rtnetlink tells of: forwarding, rp_filter, proxy_arp. linux/netconf.h. */
import type { Cursor } from '@network/base/bytes/cursor.ts'
import type { Writer } from '@network/base/bytes/writer.ts'
import { type IfIndex, toIfIndex } from './link.ts'
import { AF_INET, eachAttribute } from './wire.ts'

/** Undefined settings were not part of the message: a notification tells only what changed. */
export interface Netconf {
  /** `all` and `default` stand for the directories of that name below net/ipv4/conf. */
  readonly of: IfIndex | 'all' | 'default'
  readonly forwarding: boolean | undefined
  /** 0 none, 1 strict, 2 loose; the kernel acts by the greater of the link's and that of `all`. */
  readonly rpFilter: number | undefined
  readonly proxyArp: boolean | undefined
}

const ATTR = { of: 1, forwarding: 2, rpFilter: 3, proxyArp: 5 }
const ALL = -1
const DEFAULT = -2

/** Reads the body of a netconf message; undefined when it is not about IPv4. */
export function readNetconf(body: Cursor): Netconf | undefined {
  const family = body.u8()
  body.skip(3)
  if (family !== AF_INET) return undefined
  const seen = new Map<number, number>()
  eachAttribute(body, (type, value) => {
    if (type === ATTR.of || type === ATTR.forwarding || type === ATTR.rpFilter || type === ATTR.proxyArp)
      seen.set(type, value.i32())
  })
  const of = seen.get(ATTR.of)
  if (of === undefined) return undefined
  return {
    of: of === ALL ? 'all' : of === DEFAULT ? 'default' : toIfIndex(of),
    forwarding: asBoolean(seen.get(ATTR.forwarding)),
    rpFilter: seen.get(ATTR.rpFilter),
    proxyArp: asBoolean(seen.get(ATTR.proxyArp)),
  }
}

/** Asks for the settings of all links. */
export function writeNetconfQuery(writer: Writer): void {
  writer.u8(AF_INET).align(4)
}

function asBoolean(value: number | undefined): boolean | undefined {
  return value === undefined ? undefined : value !== 0
}
