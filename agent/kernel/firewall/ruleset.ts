/** Our own tables: what stands in them. What no rule needs is not there, for each packet pays for each hook. Pure. */

import { formatIpv4 } from '@network/base/net/ipv4.ts'
import { formatPrefix } from '@network/base/net/prefix.ts'
import type { FirewallIntent } from '@network/model/intent.ts'
import type { Json, Objects } from './nft.ts'

export const TABLE_NAME = 'cali'
/** `inet`: what arrives at the node and what others' chains do to pods. `netdev`: what pods send, each heard at its own interface. */
export const FAMILIES = ['inet', 'netdev'] as const
export type Family = (typeof FAMILIES)[number]

export function tableNamed(family: Family): string {
  return `nft table ${family} ${TABLE_NAME}`
}

/** What decides which chains there are. */
export interface Shape {
  /** Whether packets are marked for accept rules in other people's chains. */
  readonly marking: boolean
  /** Whether anybody translates sources, we or others: the chain for it makes the kernel follow every connection. */
  readonly natting: boolean
  /** Undefined where this node uses none, and the port is anybody's. */
  readonly vxlan: { readonly port: number; readonly vni: number } | undefined
}

/**
 * The bit of the packet mark that says "Cali accepts this", for the accept rules in other people's chains. It is set before their chains
 * and cleared behind them, on the hooks forward and input alone: nobody else ever sees it.
 */
export const ACCEPT_MARK = 0x10000
const ALL_BUT_ACCEPT_MARK = 0xffff_ffff - ACCEPT_MARK

export const COUNTERS = { forgedIpip: 'forged-ipip', forgedVxlan: 'forged-vxlan', spoofedSource: 'spoofed-source' } as const
export type Count = keyof typeof COUNTERS
/** Those that each table has. */
export const COUNTS: Readonly<Record<Family, readonly Count[]>> = {
  inet: ['forgedIpip', 'forgedVxlan'],
  netdev: ['forgedIpip', 'forgedVxlan', 'spoofedSource'],
}

export const SETS = {
  /** May send IPIP and VXLAN to this node. */
  nodes: { type: 'ipv4_addr', flags: undefined },
  /** May speak BGP with this node. */
  peers: { type: 'ipv4_addr', flags: undefined },
  pools: { type: 'ipv4_addr', flags: ['interval'] },
  /** Pools whose pods speak to the outside with their node's address. */
  'nat-pools': { type: 'ipv4_addr', flags: ['interval'] },
  tunnels: { type: 'ifname', flags: undefined },
} as const
export type SetName = keyof typeof SETS

/** The sets' elements as text, a pool as `10.244.0.0/16`, and `sources`: a pod's interface and an address of it with a blank between, or
 * an interface alone that belongs to nobody and may send nothing. */
export type Elements = Readonly<Record<SetName | 'sources', ReadonlySet<string>>>

export interface Chain {
  readonly family: Family
  readonly name: string
  /** Undefined: other chains jump to it. */
  readonly base: { readonly type: 'filter' | 'nat'; readonly hook: string; readonly priority: number } | undefined
  readonly rules: readonly Objects[]
}

/** Of the chains of devices: before what others do there. */
export const POD_PRIORITY = -500
const BEFORE_OTHERS = -500
const BEHIND_OUR_DROPS = -499
const BEHIND_OTHERS = 500
/** Other people's masquerading is at 100, of which the first to decide is the last. */
const NAT_BEFORE_OTHERS = 90
const IPIP = 4
const TCP = 6
const BGP = 179
const TCP_ACK = 16
/** Of a VXLAN header behind that of UDP, in bits: the VNI, with the reserved octet behind it, for four octets compare faster than three. The kernel drops what has that octet set. */
const VNI = { base: 'th', offset: 96, len: 32 }
const RESERVED = 256

const iifname = { meta: { key: 'iifname' } }
const oifname = { meta: { key: 'oifname' } }
const mark = { meta: { key: 'mark' } }
const transport = { meta: { key: 'l4proto' } }
const field = (protocol: string, name: string) => ({ payload: { protocol, field: name } })
const source = field('ip', 'saddr')
const destination = field('ip', 'daddr')
const match = (left: Json, right: unknown, op: '==' | '!=' | 'in' = '==') => ({ match: { op, left, right } })
const goTo = (target: string) => ({ goto: { target } })
const count = (name: Count) => ({ counter: COUNTERS[name] })
const setMark = { mangle: { key: mark, value: { '|': [mark, ACCEPT_MARK] } } }
const clearMark = { mangle: { key: mark, value: { '&': [mark, ALL_BUT_ACCEPT_MARK] } } }
const drop = { drop: null }
/** Here alone: the other chains of the hook are asked all the same. */
const accept = { accept: null }
const asItIs = { snat: { family: 'ip', addr: source } }

const ANY_POD = 'cali*'
/** Chains of such names are those of pods. */
export const POD_INTERFACE = /^cali[0-9a-f]{11}$/
/** Where packets of a pod go that have its address, and where all others. */
export const POD_CHAINS = ['known', 'strangers'] as const

/** A pod's own chain, which its interface has for itself: no set need be searched. */
export function podRules(addresses: readonly string[]): readonly Objects[] {
  const [known, strangers] = POD_CHAINS
  return [...addresses.map(address => [match(source, address), goTo(known)]), [goTo(strangers)]]
}

/** The chains that there are to be, besides those of pods. Written as nft 1.0 prints them: what is read back is compared with this. */
export function chainsOf({ marking, natting, vxlan }: Shape): readonly Chain[] {
  const toVxlan = vxlan === undefined ? [] : [match(field('udp', 'dport'), vxlan.port)]
  // The port may be others' too, who have networks of their own on it.
  const ours = vxlan === undefined ? [] : [...toVxlan, match({ payload: VNI }, vxlan.vni * RESERVED)]
  const always = [fromKnownPods(toVxlan), FROM_STRANGERS, arriving(ours)]
  return [...always, ...(marking ? marks(ours) : []), ...(natting ? [POSTROUTING] : [])]
}

/** Of pods no VXLAN at all: whichever network it were for, it would be forged. */
function fromKnownPods(toVxlan: Objects): Chain {
  const [name] = POD_CHAINS
  const rules: Objects[] = [
    // Most packets, and the first that holds is the last.
    [match(transport, TCP), accept],
    [match(transport, IPIP), count('forgedIpip'), drop],
    ...(toVxlan.length === 0 ? [] : [[...toVxlan, count('forgedVxlan'), drop]]),
  ]
  return { family: 'netdev', name, base: undefined, rules }
}

const FROM_STRANGERS: Chain = {
  family: 'netdev',
  name: POD_CHAINS[1],
  base: undefined,
  rules: [
    // Neighbour discovery; pods have no other IPv6 addresses.
    [match(field('ip6', 'saddr'), { prefix: { addr: 'fe80::', len: 10 } }), goTo(POD_CHAINS[0])],
    [match(field('ip6', 'saddr'), '::'), goTo(POD_CHAINS[0])],
    [match(field('ip', 'version'), 4), count('spoofedSource'), drop],
    [match(field('ip6', 'version'), 6), count('spoofedSource'), drop],
  ],
}

function arriving(ours: Objects): Chain {
  return {
    ...{ family: 'inet', name: 'input', base: { type: 'filter', hook: 'input', priority: BEFORE_OTHERS } },
    rules: [
      ...(ours.length === 0
        ? []
        : [
            [...ours, match(source, '@nodes'), accept],
            [...ours, count('forgedVxlan'), drop],
          ]),
      [match(transport, IPIP), match(source, '@nodes', '!='), count('forgedIpip'), drop],
    ],
  }
}

function marks(ours: Objects): readonly Chain[] {
  const base = (hook: 'input' | 'forward', priority: number) => ({ type: 'filter', hook, priority }) as const
  return [
    {
      ...{ family: 'inet', name: 'mark-input', base: base('input', BEHIND_OUR_DROPS) },
      rules: [
        [clearMark],
        [match(field('ip', 'protocol'), IPIP), setMark],
        ...(ours.length === 0 ? [] : [[...ours, setMark]]),
        [match(source, '@peers'), match(field('tcp', 'dport'), BGP), setMark],
        // Of a session that we opened: no first segment passes.
        [match(source, '@peers'), match(field('tcp', 'sport'), BGP), match(field('tcp', 'flags'), TCP_ACK, 'in'), setMark],
      ],
    },
    { family: 'inet', name: 'behind-input', base: base('input', BEHIND_OTHERS), rules: [[clearMark]] },
    {
      ...{ family: 'inet', name: MARKING_CHAIN, base: base('forward', BEFORE_OTHERS) },
      rules: [
        // The first that holds is the last: lookups cost more than all else.
        [match(iifname, ANY_POD), setMark, accept],
        [match(oifname, ANY_POD), setMark, accept],
        [match(iifname, '@tunnels'), setMark, accept],
        [match(oifname, '@tunnels'), setMark, accept],
        [clearMark],
      ],
    },
    { family: 'inet', name: 'behind-forward', base: base('forward', BEHIND_OTHERS), rules: [[clearMark]] },
  ]
}

/** Where these are, the table marks, or translates. */
export const MARKING_CHAIN = 'forward'
export const NATTING_CHAIN = 'postrouting'

const POSTROUTING: Chain = {
  family: 'inet',
  name: NATTING_CHAIN,
  base: { type: 'nat', hook: 'postrouting', priority: NAT_BEFORE_OTHERS },
  rules: [
    // An accept would leave it to the next: a translation to what it is already is one, and the kernel makes no second.
    [match(source, '@pools'), match(destination, '@pools'), asItIs],
    [match(source, '@pools'), match(destination, '@nodes'), asItIs],
    [match(source, '@nat-pools'), { masquerade: null }],
  ],
}

/** The rules of each chain, as this or that version of nft prints them. */
export type Forms = ReadonlyMap<string, readonly unknown[]>

export function formsOf(shape: Shape): Forms {
  return new Map(chainsOf(shape).map(({ name, rules }) => [name, rules]))
}

/** What stands in a chain of somebody else, besides its comment. */
export const ACCEPT_MARKED: Objects = [match({ '&': [mark, ACCEPT_MARK] }, ACCEPT_MARK), { counter: null }, { accept: null }]

export function elementsOf({ nodes, peers, sources, pools, natPools, tunnels }: FirewallIntent): Elements {
  return {
    pools: new Set(pools.map(formatPrefix)),
    'nat-pools': new Set(natPools.map(formatPrefix)),
    tunnels: new Set(tunnels),
    nodes: new Set([...nodes].map(formatIpv4)),
    peers: new Set([...peers].map(formatIpv4)),
    sources: new Set(
      sources.filter(({ device }) => POD_INTERFACE.test(device)).map(({ device, address }) => `${device} ${formatIpv4(address)}`),
    ),
  }
}

export function setNames(): SetName[] {
  return ['nodes', 'peers', 'pools', 'nat-pools', 'tunnels']
}

/** The addresses of each interface, in order. */
export function podsOf({ sources }: Pick<Elements, 'sources'>): ReadonlyMap<string, readonly string[]> {
  const pods = new Map<string, string[]>()
  for (const element of [...sources].sort()) {
    const [device = '', ...addresses] = element.split(' ')
    pods.set(device, [...(pods.get(device) ?? []), ...addresses])
  }
  return pods
}
