/** How a node's own address is chosen among all that it has: Calico's methods by Calico's names. Pure. */

import { formatIpv4, type Ipv4, isUsableHost, parseIpv4 } from '@network/base/net/ipv4.ts'
import { contains, formatPrefix, type Prefix, parsePrefix } from '@network/base/net/prefix.ts'

export type AddressMethod =
  | { readonly is: 'address'; readonly address: Ipv4 }
  | { readonly is: 'default-route' | 'first-found' | 'kubernetes-internal-ip' }
  | { readonly is: 'can-reach'; readonly target: Ipv4 }
  /** The first interface, in the order of the patterns, whose name one of them matches whole. */
  | { readonly is: 'interface' | 'skip-interface'; readonly patterns: readonly RegExp[] }
  | { readonly is: 'cidr'; readonly cidrs: readonly Prefix[] }

export type ParsedMethod = { readonly ok: true; readonly value: AddressMethod } | { readonly ok: false; readonly says: string }

/** An address of this node, on an interface. */
export interface Candidate {
  readonly device: string
  readonly up: boolean
  readonly address: Ipv4
  /** Of its subnet. */
  readonly length: number
}

export interface AddressFacts {
  /** In the kernel's order. */
  readonly candidates: readonly Candidate[]
  /** The address that the kernel would send from to a target; undefined where it knows no way. */
  readonly sourceTowards: (target: Ipv4 | 'anywhere') => Ipv4 | undefined
  /** InternalIP of this node's document in Kubernetes; undefined where there is none. */
  readonly kubernetesInternalIp: Ipv4 | undefined
}

export type Chosen =
  | { readonly is: 'chosen'; readonly address: Ipv4; readonly from: string }
  | { readonly is: 'none'; readonly says: string }

/** What other software makes for its own ends, and no other node reaches. */
const NEVER_FOUND =
  /^(?:lo|docker.*|cbr.*|dummy.*|podman.*|virbr.*|lxcbr.*|lxdbr.*|veth.*|br-.*|cali.*|tunl.*|vxlan.*|flannel.*|cni.*|kube-ipvs.*|kube-bridge|nodelocaldns|wireguard.*|wg.*|weave|cilium.*|tailscale.*|ip6tnl.*|sit.*|gre.*|erspan.*)$/

/** Reads `--node-ip`; what is wrong comes back as a sentence. */
export function parseMethod(text: string): ParsedMethod {
  const address = parseIpv4(text)
  if (address !== undefined) return addressMethod(address)
  const [, name = '', argument] = /^([a-z-]+)(?:=(.*))?$/s.exec(text) ?? []
  const items = (argument ?? '').split(',').map(item => item.trim())
  switch (name) {
    case 'default-route':
    case 'first-found':
    case 'kubernetes-internal-ip':
      return argument === undefined ? { ok: true, value: { is: name } } : wrong(`${name} takes nothing behind it`)
    case 'can-reach': {
      const target = parseIpv4(argument ?? '')
      return target === undefined
        ? wrong(`can-reach= takes an IPv4 address such as 8.8.8.8, not "${argument ?? ''}"`)
        : { ok: true, value: { is: name, target } }
    }
    case 'interface':
    case 'skip-interface':
      return patternsMethod(name, patternsIn(argument ?? ''))
    case 'cidr':
      return cidrMethod(items)
    default:
      return wrong(
        `"${text}" is not an IPv4 address such as 172.16.20.11, nor one of default-route, first-found, can-reach=ADDRESS, interface=REGEX, skip-interface=REGEX, cidr=CIDR and kubernetes-internal-ip`,
      )
  }
}

/** The address by the method, and the reason for people. */
export function chooseAddress(method: AddressMethod, facts: AddressFacts): Chosen {
  const usable = facts.candidates.filter(({ address, up }) => up && isUsableHost(address))
  switch (method.is) {
    case 'address':
      return { is: 'chosen', address: method.address, from: '--node-ip' }
    case 'default-route':
      return bySource(
        facts.sourceTowards('anywhere'),
        'source address of the default route',
        'there is no default route to take its source address from',
      )
    case 'can-reach': {
      const target = formatIpv4(method.target)
      return bySource(
        facts.sourceTowards(method.target),
        `can-reach: source address towards ${target}`,
        `the kernel knows no way to ${target}`,
      )
    }
    case 'first-found':
      return first(
        usable.filter(({ device }) => !NEVER_FOUND.test(device)),
        ({ device }) => `first-found: first address of ${device}`,
        'no interface that other nodes could reach has an address',
      )
    case 'interface':
      return first(
        method.patterns.flatMap(pattern => usable.filter(({ device }) => pattern.test(device))),
        ({ device }) => `interface: ${device} is named as asked`,
        `no interface named ${sources(method.patterns)} has an address and is up`,
      )
    case 'skip-interface':
      return first(
        usable.filter(({ device }) => !NEVER_FOUND.test(device) && !method.patterns.some(pattern => pattern.test(device))),
        ({ device }) => `skip-interface: ${device} is the first that is not skipped`,
        `no interface besides those named ${sources(method.patterns)} has an address`,
      )
    case 'cidr':
      return first(
        method.cidrs.flatMap(cidr => usable.filter(({ address }) => contains(cidr, address))),
        ({ device }) => `cidr: first address inside ${method.cidrs.map(formatPrefix).join(', ')}, on ${device}`,
        `no address is inside ${method.cidrs.map(formatPrefix).join(', ')}`,
      )
    case 'kubernetes-internal-ip':
      return bySource(
        facts.kubernetesInternalIp,
        'kubernetes-internal-ip: InternalIP of the Node in Kubernetes',
        'the datastore of this cluster is not Kubernetes, so there is no Node there that could name an InternalIP',
      )
    default:
      return method satisfies never
  }
}

function addressMethod(address: Ipv4): ParsedMethod {
  if (isUsableHost(address)) return { ok: true, value: { is: 'address', address } }
  return wrong('must be an address of this node that other nodes reach, not one of loopback, multicast or a reserved range')
}

/** Split at commas, but for those that belong to a pattern: `en[ps]\d{1,3},bond0`. */
function patternsIn(text: string): readonly string[] {
  const found: string[] = ['']
  let depth = 0
  for (const piece of text.match(/\\.|./gs) ?? []) {
    if (/^[[{(]$/.test(piece)) depth++
    if (/^[\]})]$/.test(piece)) depth = Math.max(0, depth - 1)
    if (piece === ',' && depth === 0) found.push('')
    else found.push(`${found.pop()}${piece}`)
  }
  return found.map(item => item.trim())
}

function patternsMethod(is: 'interface' | 'skip-interface', items: readonly string[]): ParsedMethod {
  const patterns: RegExp[] = []
  for (const item of items) {
    if (item === '')
      return wrong(`${is}= takes names of interfaces as regular expressions, with commas between: ${is}=eth.*,ens3`)
    try {
      patterns.push(new RegExp(`^(?:${item})$`))
    } catch {
      return wrong(`${is}= takes regular expressions, and "${item}" is none`)
    }
  }
  return { ok: true, value: { is, patterns } }
}

function cidrMethod(items: readonly string[]): ParsedMethod {
  const cidrs: Prefix[] = []
  for (const item of items) {
    const parsed = parsePrefix(item)
    if (!parsed.ok) return wrong(`cidr= takes prefixes with commas between: "${item}" ${parsed.says}`)
    cidrs.push(parsed.value)
  }
  return { ok: true, value: { is: 'cidr', cidrs } }
}

function bySource(address: Ipv4 | undefined, from: string, says: string): Chosen {
  return address === undefined ? { is: 'none', says } : { is: 'chosen', address, from }
}

function first([found]: readonly Candidate[], from: (found: Candidate) => string, says: string): Chosen {
  return found === undefined ? { is: 'none', says } : { is: 'chosen', address: found.address, from: from(found) }
}

/** As the user wrote them. */
function sources(patterns: readonly RegExp[]): string {
  return patterns.map(({ source }) => source.slice(4, -2)).join(', ')
}

function wrong(says: string): ParsedMethod {
  return { ok: false, says }
}
