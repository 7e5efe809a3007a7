/** Our own table: what stands in it. Pure. */

import { formatIpv4 } from '@network/base/net/ipv4.ts'
import { formatPrefix } from '@network/base/net/prefix.ts'
import type { FirewallIntent } from '@network/model/intent.ts'
import type { Json, Objects } from './nft.ts'

export const OUR_TABLE = { family: 'inet', name: 'cali' } as const

/**
 * The bit of the packet mark that says "Cali accepts this", for the accept rules in other people's chains. It is set before their chains
 * and cleared behind them, on the hooks forward and input alone: nobody else ever sees it.
 */
export const ACCEPT_MARK = 0x10000
const ALL_BUT_ACCEPT_MARK = 0xffff_ffff - ACCEPT_MARK

export const COUNTERS = { forgedIpip: 'forged-ipip', forgedVxlan: 'forged-vxlan', spoofedSource: 'spoofed-source' } as const

export const SETS = {
  /** May send IPIP and VXLAN to this node. */
  nodes: { type: 'ipv4_addr', flags: undefined },
  /** May speak BGP with this node. */
  peers: { type: 'ipv4_addr', flags: undefined },
  /** Interface of a pod and the address that it may send from. */
  sources: { type: ['ifname', 'ipv4_addr'], flags: undefined },
  pools: { type: 'ipv4_addr', flags: ['interval'] },
  /** Pools whose pods speak to the outside with their node's address. */
  'nat-pools': { type: 'ipv4_addr', flags: ['interval'] },
  /** UDP ports of VXLAN: one, or none. */
  'tunnel-ports': { type: 'inet_service', flags: undefined },
  tunnels: { type: 'ifname', flags: undefined },
} as const
export type SetName = keyof typeof SETS

/** The sets' elements as text; a pod's interface and address with a blank between, a pool as `10.244.0.0/16`. */
export type Elements = Readonly<Record<SetName, ReadonlySet<string>>>

export interface Chain {
  readonly name: string
  /** Undefined: other chains jump to it. */
  readonly base: { readonly type: 'filter' | 'nat'; readonly hook: string; readonly priority: number } | undefined
  /** True where it serves the accept rules in other people's chains alone: each packet pays for it. */
  readonly marks?: boolean
  readonly rules: readonly Objects[]
}

const RAW = -300
const BEFORE_OTHERS = -500
const BEHIND_OUR_DROPS = -499
const BEHIND_OTHERS = 500
/** Other people's masquerading is at 100, of which the first to decide is the last. */
const NAT_BEFORE_OTHERS = 90
const IPIP = 4
const BGP = 179
const TCP_ACK = 16

const iifname = { meta: { key: 'iifname' } }
const oifname = { meta: { key: 'oifname' } }
const mark = { meta: { key: 'mark' } }
const transport = { meta: { key: 'l4proto' } }
const field = (protocol: string, name: string) => ({ payload: { protocol, field: name } })
const source = field('ip', 'saddr')
const destination = field('ip', 'daddr')
const match = (left: Json, right: unknown, op: '==' | '!=' | 'in' = '==') => ({ match: { op, left, right } })
const count = (name: keyof typeof COUNTERS) => ({ counter: COUNTERS[name] })
const setMark = { mangle: { key: mark, value: { '|': [mark, ACCEPT_MARK] } } }
const clearMark = { mangle: { key: mark, value: { '&': [mark, ALL_BUT_ACCEPT_MARK] } } }
const drop = { drop: null }
/** Here alone: the other chains of the hook are asked all the same. */
const accept = { accept: null }
const leave = { return: null }
const asItIs = { snat: { family: 'ip', addr: source } }

const ANY_POD = 'cali*'

/** Written as nft 1.0 prints them: what is read back is compared with this. */
const CHAINS: readonly Chain[] = [
  {
    name: 'from-pod',
    base: undefined,
    rules: [
      [match(transport, IPIP), count('forgedIpip'), drop],
      [match(field('udp', 'dport'), '@tunnel-ports'), count('forgedVxlan'), drop],
      [match({ concat: [iifname, source] }, '@sources'), leave],
      // Neighbour discovery; pods have no other IPv6 addresses.
      [match(field('ip6', 'saddr'), { prefix: { addr: 'fe80::', len: 10 } }), leave],
      [match(field('ip6', 'saddr'), '::'), leave],
      [count('spoofedSource'), drop],
    ],
  },
  {
    name: 'prerouting',
    base: { type: 'filter', hook: 'prerouting', priority: RAW },
    rules: [[match(iifname, ANY_POD), { jump: { target: 'from-pod' } }]],
  },
  {
    name: 'input',
    base: { type: 'filter', hook: 'input', priority: BEFORE_OTHERS },
    rules: [
      [match(transport, IPIP), match(source, '@nodes', '!='), count('forgedIpip'), drop],
      [match(field('udp', 'dport'), '@tunnel-ports'), match(source, '@nodes', '!='), count('forgedVxlan'), drop],
    ],
  },
  {
    name: 'mark-input',
    base: { type: 'filter', hook: 'input', priority: BEHIND_OUR_DROPS },
    marks: true,
    rules: [
      [clearMark],
      [match(field('ip', 'protocol'), IPIP), setMark],
      [match(field('udp', 'dport'), '@tunnel-ports'), setMark],
      [match(source, '@peers'), match(field('tcp', 'dport'), BGP), setMark],
      // Of a session that we opened: no first segment passes.
      [match(source, '@peers'), match(field('tcp', 'sport'), BGP), match(field('tcp', 'flags'), TCP_ACK, 'in'), setMark],
    ],
  },
  { name: 'behind-input', base: { type: 'filter', hook: 'input', priority: BEHIND_OTHERS }, marks: true, rules: [[clearMark]] },
  {
    name: 'forward',
    base: { type: 'filter', hook: 'forward', priority: BEFORE_OTHERS },
    marks: true,
    rules: [
      // The first that holds is the last: lookups cost more than all else.
      [match(iifname, ANY_POD), setMark, accept],
      [match(oifname, ANY_POD), setMark, accept],
      [match(iifname, '@tunnels'), setMark, accept],
      [match(oifname, '@tunnels'), setMark, accept],
      [clearMark],
    ],
  },
  {
    name: 'behind-forward',
    base: { type: 'filter', hook: 'forward', priority: BEHIND_OTHERS },
    marks: true,
    rules: [[clearMark]],
  },
  {
    name: 'postrouting',
    base: { type: 'nat', hook: 'postrouting', priority: NAT_BEFORE_OTHERS },
    rules: [
      // An accept would leave it to the next: a translation to what it is already is one, and the kernel makes no second.
      [match(source, '@pools'), match(destination, '@pools'), asItIs],
      [match(source, '@pools'), match(destination, '@nodes'), asItIs],
      [match(source, '@nat-pools'), { masquerade: null }],
    ],
  },
]

/** The chains that there are to be, with those that mark packets for other people's chains or without. */
export function chainsOf(marking: boolean): readonly Chain[] {
  return marking ? CHAINS : CHAINS.filter(({ marks }) => marks !== true)
}

/** The rules of each chain, as this or that version of nft prints them. */
export type Forms = ReadonlyMap<string, readonly unknown[]>

export const OUR_FORMS: Forms = new Map(CHAINS.map(({ name, rules }) => [name, rules]))

/** What stands in a chain of somebody else, besides its comment. */
export const ACCEPT_MARKED: Objects = [match({ '&': [mark, ACCEPT_MARK] }, ACCEPT_MARK), { counter: null }, { accept: null }]

export function elementsOf({ nodes, peers, sources, pools, natPools, vxlanPort, tunnels }: FirewallIntent): Elements {
  return {
    pools: new Set(pools.map(formatPrefix)),
    'nat-pools': new Set(natPools.map(formatPrefix)),
    'tunnel-ports': new Set(vxlanPort === undefined ? [] : [String(vxlanPort)]),
    tunnels: new Set(tunnels),
    nodes: new Set([...nodes].map(formatIpv4)),
    peers: new Set([...peers].map(formatIpv4)),
    sources: new Set(sources.map(({ device, address }) => `${device} ${formatIpv4(address)}`)),
  }
}

export function setNames(): SetName[] {
  return ['nodes', 'peers', 'sources', 'pools', 'nat-pools', 'tunnel-ports', 'tunnels']
}
