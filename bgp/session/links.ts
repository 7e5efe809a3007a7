/** Which of our links a peer is on: what a next hop over IPv6 needs to know. RFC 2545 §3. */
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os'
import { covers6, type Ipv6, isLinkLocal, parseIpv6, toPrefix6 } from '@network/base/net/ipv6.ts'
import type { Clock } from '@network/base/time/clock.ts'
import { between, type Instant, type Millis, millis } from '@network/base/time/units.ts'
import type { Endpoint, LocalEnd } from './transport.ts'

/** Interfaces are looked up at most this often: a thousand sessions that come up together ask once. */
const FRESH: Millis = millis(1000)

type Links = ReturnType<typeof networkInterfaces>
const KNOWN = new WeakMap<Clock, { readonly links: Links; readonly at: Instant }>()

/** Our end of a stream, with our link-local address where both ends are on one link. */
export function ourEnd(local: Endpoint, remote: Endpoint, clock: Clock): LocalEnd {
  if (typeof local.address === 'number' || typeof remote.address === 'number') return local
  if (isLinkLocal(local.address)) return { ...local, linkLocal: local.address }
  const linkLocal = linkLocalTowards(local.address, remote.address, links(clock))
  return linkLocal === undefined ? local : { ...local, linkLocal }
}

/** Our link-local address on the interface that has our address in a network with theirs. */
export function linkLocalTowards(ours: Ipv6, theirs: Ipv6, all: Links): Ipv6 | undefined {
  for (const addresses of Object.values(all)) {
    const six = (addresses ?? []).filter(({ family }) => family === 'IPv6')
    if (six.some(each => parseIpv6(each.address) === ours && isNear(each, theirs)))
      return six.map(({ address }) => parseIpv6(address)).find(address => address !== undefined && isLinkLocal(address))
  }
  return undefined
}

function isNear({ address, cidr }: NetworkInterfaceInfo, theirs: Ipv6): boolean {
  const length = Number(cidr?.split('/')[1] ?? 128)
  const host = parseIpv6(address)
  return host !== undefined && covers6(toPrefix6(host, length), toPrefix6(theirs, 128))
}

function links(clock: Clock): Links {
  const now = clock.now()
  const known = KNOWN.get(clock)
  if (known !== undefined && between(known.at, now) <= FRESH) return known.links
  const fresh = networkInterfaces()
  KNOWN.set(clock, { links: fresh, at: now })
  return fresh
}
