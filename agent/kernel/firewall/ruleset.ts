/** Our own table: what stands in it. Pure. */

import { formatIpv4 } from '@network/base/net/ipv4.ts'
import { TUNNEL_DEVICE } from '@network/ipip/plan.ts'
import type { FirewallIntent } from '@network/model/intent.ts'
import type { Json, Objects } from './nft.ts'

export const OUR_TABLE = { family: 'inet', name: 'cali' } as const

/**
 * The bit of the packet mark that says "Cali accepts this", for the accept rules in other people's chains. It is set before their chains
 * and cleared behind them, on the hooks forward and input alone: nobody else ever sees it.
 */
export const ACCEPT_MARK = 0x10000
const ALL_BUT_ACCEPT_MARK = 0xffff_ffff - ACCEPT_MARK

export const COUNTERS = { forgedIpip: 'forged-ipip', spoofedSource: 'spoofed-source' } as const

export const SETS = {
  /** May send IP protocol 4 to this node. */
  nodes: 'ipv4_addr',
  /** May speak BGP with this node. */
  peers: 'ipv4_addr',
  /** Interface of a pod and the address that it may send from. */
  sources: ['ifname', 'ipv4_addr'],
} as const
export type SetName = keyof typeof SETS

/** The sets' elements as text; a pod's interface and address with a blank between. */
export type Elements = Readonly<Record<SetName, ReadonlySet<string>>>

export interface Chain {
  readonly name: string
  /** Undefined: other chains jump to it. */
  readonly base: { readonly hook: string; readonly priority: number } | undefined
  readonly rules: readonly Objects[]
}

const RAW = -300
const BEFORE_OTHERS = -500
const BEHIND_OTHERS = 500
const IPIP = 4
const BGP = 179
const TCP_ACK = 16

const iifname = { meta: { key: 'iifname' } }
const oifname = { meta: { key: 'oifname' } }
const mark = { meta: { key: 'mark' } }
const transport = { meta: { key: 'l4proto' } }
const field = (protocol: string, name: string) => ({ payload: { protocol, field: name } })
const source = field('ip', 'saddr')
const match = (left: Json, right: unknown, op: '==' | '!=' | 'in' = '==') => ({ match: { op, left, right } })
const count = (name: keyof typeof COUNTERS) => ({ counter: COUNTERS[name] })
const setMark = { mangle: { key: mark, value: { '|': [mark, ACCEPT_MARK] } } }
const clearMark = { mangle: { key: mark, value: { '&': [mark, ALL_BUT_ACCEPT_MARK] } } }
const drop = { drop: null }
const leave = { return: null }

const ANY_POD = 'cali*'

/** Written as nft 1.0 prints them: what is read back is compared with this. */
export const CHAINS: readonly Chain[] = [
  {
    name: 'from-pod',
    base: undefined,
    rules: [
      [match(transport, IPIP), count('forgedIpip'), drop],
      [match({ concat: [iifname, source] }, '@sources'), leave],
      // Neighbour discovery; pods have no other IPv6 addresses.
      [match(field('ip6', 'saddr'), { prefix: { addr: 'fe80::', len: 10 } }), leave],
      [match(field('ip6', 'saddr'), '::'), leave],
      [count('spoofedSource'), drop],
    ],
  },
  {
    name: 'prerouting',
    base: { hook: 'prerouting', priority: RAW },
    rules: [[match(iifname, ANY_POD), { jump: { target: 'from-pod' } }]],
  },
  {
    name: 'input',
    base: { hook: 'input', priority: BEFORE_OTHERS },
    rules: [
      [clearMark],
      [match(transport, IPIP), match(source, '@nodes', '!='), count('forgedIpip'), drop],
      [match(field('ip', 'protocol'), IPIP), setMark],
      [match(source, '@peers'), match(field('tcp', 'dport'), BGP), setMark],
      // Of a session that we opened: no first segment passes.
      [match(source, '@peers'), match(field('tcp', 'sport'), BGP), match(field('tcp', 'flags'), TCP_ACK, 'in'), setMark],
    ],
  },
  { name: 'behind-input', base: { hook: 'input', priority: BEHIND_OTHERS }, rules: [[clearMark]] },
  {
    name: 'forward',
    base: { hook: 'forward', priority: BEFORE_OTHERS },
    rules: [
      [clearMark],
      [match(iifname, ANY_POD), setMark],
      [match(oifname, ANY_POD), setMark],
      [match(iifname, TUNNEL_DEVICE), setMark],
      [match(oifname, TUNNEL_DEVICE), setMark],
    ],
  },
  { name: 'behind-forward', base: { hook: 'forward', priority: BEHIND_OTHERS }, rules: [[clearMark]] },
]

/** The rules of each chain, as this or that version of nft prints them. */
export type Forms = ReadonlyMap<string, readonly unknown[]>

export const OUR_FORMS: Forms = new Map(CHAINS.map(({ name, rules }) => [name, rules]))

/** What stands in a chain of somebody else, besides its comment. */
export const ACCEPT_MARKED: Objects = [match({ '&': [mark, ACCEPT_MARK] }, ACCEPT_MARK), { counter: null }, { accept: null }]

export function elementsOf({ nodes, peers, sources }: FirewallIntent): Elements {
  return {
    nodes: new Set([...nodes].map(formatIpv4)),
    peers: new Set([...peers].map(formatIpv4)),
    sources: new Set(sources.map(({ device, address }) => `${device} ${formatIpv4(address)}`)),
  }
}

export function setNames(): SetName[] {
  return ['nodes', 'peers', 'sources']
}
