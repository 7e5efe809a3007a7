/** The kernel's rules for links, IPv4 addresses and routes, as far as we use them: a small table each, and the errno of a refusal. */
import type { Ipv4 } from '@network/base/net/ipv4.ts'
import { contains, formatPrefix, type Prefix, samePrefix, toPrefix } from '@network/base/net/prefix.ts'
import type { LinkAddress } from '../address.ts'
import { type IfIndex, type LinkRef, toIfIndex } from '../link.ts'
import { PROTOCOL, type Route, SCOPE, TABLE, toRoute } from '../route.ts'

/** `EEXIST`, `ENODEV`, …; undefined means that it was done. */
export type Refusal = string | undefined

export interface FakeLink {
  readonly index: IfIndex
  readonly name: string
  readonly kind: string | undefined
  readonly mtu: number
  readonly up: boolean
  /** The other end of a veth, where it is in the same namespace. */
  readonly peer: IfIndex | undefined
}

export interface LinkWish {
  readonly name: string
  readonly kind: string | undefined
  readonly mtu: number | undefined
  readonly up: boolean
  /** Of the other end of a veth, unless it is born elsewhere. */
  readonly peer: string | undefined
}

export interface RouteMode {
  readonly exclusive: boolean
  readonly replace: boolean
}

const LOOPBACK = 'lo'
/** Of Ethernet, and of tunnels too. */
const LEAST_MTU = 68
const USUAL_MTU = 1500
/** The device that the module makes by itself cannot be removed. */
const BUILT_IN = 'tunl0'
const BUILT_IN_MTU = 1480
const DEVICELESS: ReadonlySet<string> = new Set(['blackhole', 'unreachable', 'prohibit', 'throw'])

/**
 * Table local is not kept: what it would say is asked of the addresses. No multipath, no secondary addresses, no rules; what
 * becomes of routes when a carrier comes or goes, the kernel tells some time later, and the fake never.
 */
export class FakeTables {
  readonly #links = new Map<IfIndex, FakeLink>()
  readonly #hasIpip: boolean
  #addresses: LinkAddress[] = []
  #routes: Route[] = []
  #nextIndex = 1

  constructor(hasIpip: boolean) {
    this.#hasIpip = hasIpip
    this.#make({ name: LOOPBACK, kind: undefined, mtu: 65536, up: false, peer: undefined })
    if (hasIpip) this.#make({ name: BUILT_IN, kind: 'ipip', mtu: BUILT_IN_MTU, up: false, peer: undefined })
  }

  get links(): readonly FakeLink[] {
    return [...this.#links.values()]
  }

  get addresses(): readonly LinkAddress[] {
    return this.#addresses
  }

  get routes(): readonly Route[] {
    return this.#routes
  }

  hasCarrier(link: FakeLink): boolean {
    return link.up && (link.peer === undefined || this.#links.get(link.peer)?.up === true)
  }

  find(ref: LinkRef): FakeLink | undefined {
    return typeof ref === 'number' ? this.#links.get(ref) : this.links.find(({ name }) => name === ref)
  }

  addLink(wish: LinkWish): Refusal {
    if (wish.kind === 'ipip' && !this.#hasIpip) return 'EOPNOTSUPP'
    if (this.find(wish.name) !== undefined) return 'EEXIST'
    if (wish.peer !== undefined && (this.find(wish.peer) !== undefined || wish.peer === wish.name)) return 'EEXIST'
    if (wish.mtu !== undefined && wish.mtu < LEAST_MTU) return 'EINVAL'
    const made = this.#make({ ...wish, mtu: wish.mtu ?? USUAL_MTU, peer: undefined })
    if (wish.peer === undefined) return undefined
    const other = this.#make({ ...made, name: wish.peer, up: false, mtu: USUAL_MTU, peer: made.index })
    this.#links.set(made.index, { ...made, peer: other.index })
    return undefined
  }

  setLink(ref: LinkRef, change: { readonly up: boolean | undefined; readonly mtu: number | undefined }): Refusal {
    const link = this.find(ref)
    if (link === undefined) return 'ENODEV'
    const { up = link.up, mtu = link.mtu } = change
    if (mtu < LEAST_MTU) return 'EINVAL'
    this.#links.set(link.index, { ...link, up, mtu })
    if (link.up && !up) this.#dropRoutes(({ device }) => device === link.index)
    if (!link.up && up) for (const row of this.#addresses) if (row.link === link.index) this.#connect(row)
    return undefined
  }

  deleteLink(ref: LinkRef): Refusal {
    const link = this.find(ref)
    if (link === undefined) return 'ENODEV'
    if (link.name === LOOPBACK) return 'EOPNOTSUPP'
    if (link.name === BUILT_IN) return undefined
    for (const index of link.peer === undefined ? [link.index] : [link.index, link.peer]) this.#forgetLink(index)
    return undefined
  }

  addAddress(row: LinkAddress, { replace }: { readonly replace: boolean }): Refusal {
    const link = this.#links.get(row.link)
    if (link === undefined) return 'ENODEV'
    if (this.#addresses.some(other => sameAddress(other, row))) return replace ? undefined : 'EEXIST'
    const kept = { ...row, label: row.label ?? link.name }
    this.#addresses.push(kept)
    if (link.up) this.#connect(kept)
    return undefined
  }

  deleteAddress(row: LinkAddress): Refusal {
    if (!this.#links.has(row.link)) return 'ENODEV'
    const gone = this.#addresses.find(other => sameAddress(other, row))
    if (gone === undefined) return 'EADDRNOTAVAIL'
    this.#addresses = this.#addresses.filter(other => other !== gone)
    const isLast = this.#addresses.every(({ link }) => link !== gone.link)
    this.#dropRoutes(
      route =>
        (isLast && route.device === gone.link) ||
        (route.source === gone.address && this.#addresses.every(({ address }) => address !== gone.address)) ||
        (isConnected(route, gone) && route.protocol === PROTOCOL.kernel),
    )
    return undefined
  }

  addRoute(wish: Route, mode: RouteMode): Refusal {
    if (wish.multipath.length > 0) throw new TypeError(`the fake kernel knows no multipath: ${formatPrefix(wish.destination)}`)
    const found = this.#resolve(wish)
    if (typeof found === 'string') return found
    if (wish.source !== undefined && !this.#isLocal(wish.source)) return 'EINVAL'
    const at = this.#routes.findIndex(other => sameKey(other, found))
    if (at >= 0 && (mode.exclusive || !mode.replace)) return 'EEXIST'
    if (at >= 0) this.#routes[at] = found
    else this.#routes.push(found)
    return undefined
  }

  /** Of the rows that differ in nothing that was said, the one of the lowest metric; metric 0 says nothing. */
  deleteRoute(wish: Route): Refusal {
    const [gone] = this.#routes.filter(route => isMeant(wish, route)).sort((a, b) => a.metric - b.metric)
    if (gone === undefined) return 'ESRCH'
    this.#dropRoutes(route => route === gone)
    return undefined
  }

  /** The row as it would be kept, with its device; or why the next hop will not do. */
  #resolve(wish: Route): Route | string {
    if (DEVICELESS.has(wish.type)) return wish.device === undefined && wish.gateway === undefined ? wish : 'EINVAL'
    if (wish.gateway !== undefined && !wish.onlink) return this.#throughGateway(wish, wish.gateway)
    const link = wish.device === undefined ? undefined : this.#links.get(wish.device)
    if (link === undefined) return 'ENODEV'
    if (!link.up) return 'ENETDOWN'
    return wish.gateway !== undefined && this.#isLocal(wish.gateway) ? 'EINVAL' : wish
  }

  /** A gateway must be reached without a further gateway: over an address's own network or a route of scope link; an own address does. */
  #throughGateway(wish: Route, gateway: Ipv4): Route | string {
    const own = this.#addresses.find(({ address, link }) => address === gateway && said(wish.device, link))
    if (own !== undefined) return { ...wish, device: own.link }
    const [best] = this.#routes
      .filter(
        route =>
          route.table === TABLE.main &&
          route.scope >= SCOPE.link &&
          said(wish.device, route.device) &&
          contains(route.destination, gateway),
      )
      .sort((a, b) => b.destination.length - a.destination.length || a.metric - b.metric)
    if (best === undefined || best.device === undefined) return 'ENETUNREACH'
    return { ...wish, device: best.device }
  }

  #isLocal(address: Ipv4): boolean {
    return this.#addresses.some(row => row.address === address)
  }

  /** The route to an address's own network, which the kernel makes by itself. */
  #connect(row: LinkAddress): void {
    if (row.length === 32) return
    this.addRoute(
      toRoute({
        destination: networkOf(row),
        device: row.link,
        source: row.address,
        protocol: PROTOCOL.kernel,
        scope: SCOPE.link,
      }),
      { exclusive: false, replace: false },
    )
  }

  #dropRoutes(choose: (route: Route) => boolean): void {
    this.#routes = this.#routes.filter(route => !choose(route))
  }

  #make(link: Omit<FakeLink, 'index'>): FakeLink {
    const made = { ...link, index: toIfIndex(this.#nextIndex++) }
    this.#links.set(made.index, made)
    return made
  }

  #forgetLink(index: IfIndex): void {
    this.#links.delete(index)
    this.#addresses = this.#addresses.filter(({ link }) => link !== index)
    this.#dropRoutes(({ device }) => device === index)
  }
}

function networkOf(row: LinkAddress): Prefix {
  return toPrefix(row.address, row.length)
}

function isConnected(route: Route, row: LinkAddress): boolean {
  return route.device === row.link && route.scope === SCOPE.link && samePrefix(route.destination, networkOf(row))
}

function sameAddress(a: LinkAddress, b: LinkAddress): boolean {
  return a.link === b.link && a.address === b.address && a.length === b.length
}

function sameKey(a: Route, b: Route): boolean {
  return samePrefix(a.destination, b.destination) && a.table === b.table && a.metric === b.metric && a.tos === b.tos
}

function isMeant(wish: Route, route: Route): boolean {
  return (
    samePrefix(route.destination, wish.destination) &&
    route.table === wish.table &&
    route.tos === wish.tos &&
    route.type === wish.type &&
    (wish.scope === SCOPE.nowhere || route.scope === wish.scope) &&
    said(wish.protocol || undefined, route.protocol) &&
    said(wish.metric || undefined, route.metric) &&
    said(wish.source, route.source) &&
    said(wish.device, route.device) &&
    said(wish.gateway, route.gateway) &&
    said(wish.mtu, route.mtu)
  )
}

/** What was not said matches anything. */
function said<T>(wish: T | undefined, have: T | undefined): boolean {
  return wish === undefined || wish === have
}
