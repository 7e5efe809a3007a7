/** What a peer's settings and its session come to: as a source of routes, for what it is told, and for what is let in. */
import { type AnyPrefix, isPrefix6 } from '@network/base/net/any-prefix.ts'
import type { Attributes } from '../attributes/attributes.ts'
import { type Ends, ownHops } from '../attributes/own-hops.ts'
import type { ExportPolicy, Outlet } from '../export/advertise.ts'
import type { GroupTerms } from '../export/update-group.ts'
import { ACCEPTED, type PeerConfig } from '../options.ts'
import { formatPeer } from '../peer-address.ts'
import { effective } from '../policy/default.ts'
import { changesNothing, type ExportTerms, exported, nameOfTerms } from '../policy/export.ts'
import { type ImportTerms, imported } from '../policy/import.ts'
import type { Source } from '../rib/path.ts'
import type { Admission } from '../rib/rib.ts'
import type { Standing } from '../session/peer-session.ts'
import { type Family, IPV4_UNICAST, IPV6_UNICAST, sameFamily } from '../wire/capabilities.ts'
import { type Dialect, dialectOut } from '../wire/dialect.ts'
import { asnOf } from '../wire/open.ts'
import type { Rules } from './rules.ts'

/** The AS that the peer sees us in. RFC 7705. */
export function shownAsn(config: PeerConfig, { localAsn }: Rules): number {
  return config.localAs?.asn ?? localAsn
}

export function kindOf(config: PeerConfig, rules: Rules): 'internal' | 'external' {
  if (typeof config.asn !== 'number') return config.asn
  return config.asn === shownAsn(config, rules) ? 'internal' : 'external'
}

/** The AS of the peer: as configured, or as it said itself. */
export function remoteAsnOf({ asn }: PeerConfig, { terms }: Standing): number {
  return typeof asn === 'number' ? asn : asnOf(terms.remote)
}

/** What the peer can be told that we are. */
export function endsOf({ localAddress4, localAddress6 }: PeerConfig, { local, terms }: Standing): Ends {
  if (typeof local.address === 'number')
    return { localAddress: localAddress4 ?? local.address, ...(localAddress6 === undefined ? {} : { localAddress6 }) }
  const own = localAddress6 ?? local.address
  const { linkLocal } = local
  return {
    localAddress6: own,
    ...(linkLocal === undefined || linkLocal === own ? {} : { linkLocal }),
    ...(localAddress4 === undefined ? {} : { localAddress: localAddress4 }),
    ...(terms.dialect.multiprotocol?.ipv6NextHop === true ? { over6: true } : {}),
  }
}

/** Families that are spoken while no route of them can point at us: those of our own, and all towards another AS, stay here. */
export function untoldOf(config: PeerConfig, standing: Standing): readonly string[] {
  const { families } = standing.terms
  const ends = endsOf(config, standing)
  const speaks = (family: Family) => families.some(each => sameFamily(each, family))
  return [
    ...(speaks(IPV4_UNICAST) && ownHops(false, ends) === undefined ? [NO_HOP4] : []),
    ...(speaks(IPV6_UNICAST) && ownHops(true, ends) === undefined ? [NO_HOP6] : []),
  ]
}

const NO_HOP4 =
  'ipv4-unicast: no next hop of ours over IPv6: both ends must agree on IPv6 next hops (ipv4OverIpv6, RFC 8950), or localAddress4 must be set'
const NO_HOP6 = 'ipv6-unicast: no next hop of ours over IPv4: localAddress6 must be set'

/** Its session is about to end, or all are. */
export function isDraining(config: PeerConfig, rules: Rules): boolean {
  return config.drain === true || rules.isDraining
}

export function sourceOf(config: PeerConfig, rules: Rules, standing: Standing): Source {
  const { address, name, client, allowOwnAs, role, device } = config
  const { terms, local, remote } = standing
  const zone = remote.zone ?? device
  const kind = kindOf(config, rules)
  return {
    id: formatPeer(address),
    kind,
    name,
    address: remote.address,
    routerId: terms.remote.routerId,
    localAddress: local.address,
    // Whatever follows a spread is kept apart from the object: there may be thousands of these.
    ...(zone === undefined ? {} : { zone }),
    ...(local.linkLocal === undefined ? {} : { linkLocal: local.linkLocal }),
    ...(client === true && kind === 'internal' ? { client } : {}),
    ...(allowOwnAs === undefined ? {} : { allowOwnAs }),
    ...pathIdsOf(terms.dialect),
    ...(role === undefined || kind === 'internal' ? {} : { role: { ours: role, remoteAsn: remoteAsnOf(config, standing) } }),
  }
}

function pathIdsOf({ addPath }: Dialect): Pick<Source, 'pathIds'> {
  return addPath === undefined || addPath.in.length === 0 ? {} : { pathIds: addPath.in }
}

/** What we offered to send, as far as the peer wants it. */
function pathsOf({ addPath = [] }: PeerConfig, { addPath: agreed }: Dialect): Pick<GroupTerms, 'paths'> {
  const paths = (agreed?.out ?? []).map(family => ({
    family,
    most: addPath.find(each => sameFamily(each.family, family))?.send ?? 1,
  }))
  return paths.length === 0 ? {} : { paths }
}

export function groupTermsOf(config: PeerConfig, rules: Rules, standing: Standing): GroupTerms {
  const { client, routeServerClient, nextHops, advertisementInterval, role } = config
  const { terms } = standing
  const kind = kindOf(config, rules)
  const policy = exportPolicyOf(config, rules, standing)
  return {
    outlet: {
      kind,
      ...endsOf(config, standing),
      localAsn: shownAsn(config, rules),
      clusterId: rules.clusterId,
      client: client === true && kind === 'internal',
      ...(rules.clientToClient === undefined || client !== true ? {} : { hearsClients: false }),
      ...(routeServerClient === true && kind === 'external' ? { transparent: true } : {}),
      ...(nextHops === undefined ? {} : { hops: nextHops }),
      ...(role === undefined || kind === 'internal' ? {} : { role }),
      ...longStaleOf(kind, rules, standing),
      ...(policy === undefined ? {} : { policy }),
    },
    dialect: dialectOut(terms.dialect),
    ...pathsOf(config, terms.dialect),
    longestMessage: terms.longestMessage,
    ...(advertisementInterval === undefined ? {} : { interval: advertisementInterval }),
  }
}

/** RFC 9494 §4.3: to those that take part; inside, if the operator wants it, to the others too (§4.6). */
function longStaleOf(kind: 'internal' | 'external', { longLived }: Rules, { terms }: Standing): Pick<Outlet, 'longStale'> {
  if (longLived === undefined || terms.longLived !== undefined) return {}
  return { longStale: longLived.lastResortInside === true && kind === 'internal' ? 'last-resort' : 'withheld' }
}

function exportPolicyOf(config: PeerConfig, rules: Rules, standing: Standing): ExportPolicy | undefined {
  const { asOverride, removePrivateAs, routeServerClient, localAs, exportPolicy, skipLoops } = config
  const kind = kindOf(config, rules)
  const terms: ExportTerms = {
    peerAsn: remoteAsnOf(config, standing),
    kind,
    asOverride: asOverride === true,
    removePrivateAs: removePrivateAs === true,
    ...(routeServerClient === true ? { transparent: true } : {}),
    ...(isDraining(config, rules) ? { draining: true } : {}),
    ...(skipLoops === true && kind === 'external' ? { skipLoops } : {}),
    shownBehindLocalAs: localAs === undefined || localAs.replace ? undefined : rules.localAsn,
    chain: effective(exportPolicy, kind, rules.withoutPolicy),
    place: placeOf(config, rules, standing),
  }
  if (changesNothing(terms)) return undefined
  return {
    name: nameOfTerms(terms),
    apply: (prefix, attributes, source) => {
      const verdict = exported(prefix, attributes, source.kind, terms)
      return verdict.is === 'accepted' ? verdict.attributes : undefined
    },
  }
}

/** Undefined where nothing is asked of a route: then nobody looks at it. */
export function admissionOf(config: PeerConfig, rules: Rules, standing: Standing): Admission | undefined {
  const { isRouteServer, localAs, importPolicy, weight, role } = config
  const { importFilter, withoutPolicy } = rules
  const kind = kindOf(config, rules)
  const chain = effective(importPolicy, kind, withoutPolicy)
  if (importFilter === undefined && kind === 'internal' && chain.length === 0 && weight === undefined) return undefined
  const terms: ImportTerms = {
    kind,
    peerAsn: remoteAsnOf(config, standing),
    isRouteServer: isRouteServer === true,
    localAs: localAs?.noPrepend === true ? undefined : localAs?.asn,
    chain,
    ...(weight === undefined ? {} : { weight }),
    ...(role === undefined || kind === 'internal' ? {} : { role }),
    ...(isDraining(config, rules) ? { draining: true } : {}),
    place: placeOf(config, rules, standing),
  }
  return (prefix: AnyPrefix, attributes: Attributes) => {
    const filtered = importFilter === undefined || isPrefix6(prefix) ? ACCEPTED : importFilter(prefix, config)
    return filtered.is === 'refused' ? filtered : imported(prefix, attributes, terms)
  }
}

function placeOf(config: PeerConfig, rules: Rules, standing: Standing): ExportTerms['place'] {
  return { localAsn: shownAsn(config, rules), ...endsOf(config, standing) }
}
