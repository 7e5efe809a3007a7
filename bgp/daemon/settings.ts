/** A configuration as the speaker takes it: groups applied, names resolved; what does not fit together is told with its place. */
import { formatAnyPrefix } from '@network/base/net/any-prefix.ts'
import { millis, type Seconds, seconds } from '@network/base/time/units.ts'
import type { AddPath, DynamicPeers, LongLived, Origination, PeerConfig, SpeakerOptions } from '../options.ts'
import { formatPeer, hostOf, type PeerAddress, placeOf } from '../peer-address.ts'
import type { PolicyChain } from '../policy/policy.ts'
import { IPV4_UNICAST, IPV6_UNICAST, sameFamily } from '../wire/capabilities.ts'
import { type PrefixSets, toPolicy, unknownSets } from './policies.ts'
import { type Problem, type ReadConfig, readConfig } from './read-config.ts'
import type { Config, DynamicNeighbour, Group, Neighbour } from './schema.ts'
import type { WatchSettings } from './watchers.ts'

export interface Settings {
  /** What cannot change while the speaker runs. */
  readonly speaker: Omit<SpeakerOptions, 'importFilter' | 'clock' | 'random' | 'log' | 'transport'>
  readonly control: string
  readonly peers: readonly PeerConfig[]
  readonly originations: ReadonlyMap<string, Origination>
  /** What cannot change while the speaker runs either. */
  readonly watch: WatchSettings
}

export type ReadSettings =
  | { readonly ok: true; readonly settings: Settings; readonly warnings: readonly Problem[] }
  | { readonly ok: false; readonly problems: readonly Problem[] }

export const DEFAULT_CONTROL = '/run/cali-bgpd.sock'
const BGP_PORT = 179
const NO_IDENTIFIER = '0.0.0.0 names nobody: write an address of this speaker'
/** A speaker that comes up again waits at most so long for its peers before it says that it knows everything. */
const DEFERRAL = millis(60_000)

type Path = readonly (string | number)[]
type Complaint = { readonly path: Path; readonly says: string }

/** Total: any text gives settings or problems. */
export function readSettings(text: string): ReadSettings {
  const read = readConfig(text)
  if (!read.ok) return read
  const { config } = read
  const complaints = [...complaintsAbout(config)]
  if (complaints.length > 0) return { ok: false, problems: complaints.map(complaint => placed(complaint, read)) }
  return { ok: true, settings: toSettings(config), warnings: warningsAbout(config).map(warning => placed(warning, read)) }
}

function placed({ path, says }: Complaint, read: Extract<ReadConfig, { readonly ok: true }>): Problem {
  return { ...read.at(path), field: path.join('.'), says }
}

function* complaintsAbout(config: Config): Generator<Complaint, void, void> {
  const { policies, groups, neighbours, dynamicNeighbours, holdTime } = config
  const sets = setsOf(config)
  if (config.routerId === 0) yield { path: ['routerId'], says: NO_IDENTIFIER }
  if (config.routeReflector?.clusterId === 0) yield { path: ['routeReflector', 'clusterId'], says: NO_IDENTIFIER }
  if (holdTime === 1 || holdTime === 2) yield { path: ['holdTime'], says: 'must be 0 or at least 3 seconds' }
  for (const [name, policy] of Object.entries(policies))
    for (const { path, set } of unknownSets(policy, sets))
      yield { path: ['policies', name, ...path], says: `there is no prefix set "${set}": ${oneOfNames(config.prefixSets)}` }
  for (const [name, group] of Object.entries(groups)) yield* complaintsAboutSession(group, ['groups', name], config)
  const seen = new Set<PeerAddress>()
  for (const [index, neighbour] of neighbours.entries()) {
    const path = ['neighbours', index]
    yield* complaintsAboutPlace(neighbour, path, config)
    const peer = peerOf(neighbour)
    const field = neighbour.address === undefined ? 'interface' : 'address'
    if (peer !== undefined && seen.has(peer))
      yield { path: [...path, field], says: `${formatPeer(peer)} stands here twice: remove one` }
    if (peer !== undefined) seen.add(peer)
    yield* complaintsAboutGroup(neighbour, path, config)
    yield* complaintsAboutSession(neighbour, path, config)
    yield* complaintsAboutRole(neighbour, path, config)
  }
  for (const [index, each] of dynamicNeighbours.entries()) {
    yield* complaintsAboutGroup(each, ['dynamicNeighbours', index], config)
    yield* complaintsAboutSession(each, ['dynamicNeighbours', index], config)
    yield* complaintsAboutRole(each, ['dynamicNeighbours', index], config)
  }
}

/** Undefined where nothing or too much is said. */
function peerOf({ address, interface: device }: Neighbour): PeerAddress | undefined {
  if (address === undefined) return device
  return device === undefined ? address : undefined
}

function* complaintsAboutPlace(neighbour: Neighbour, path: Path, config: Config): Generator<Complaint> {
  const peer = peerOf(neighbour)
  if (peer === undefined) {
    yield { path, says: 'must have either an address, or the interface at whose other end it is' }
    return
  }
  const { session } = resolved(neighbour, config)
  const host = hostOf(peer)
  const isSix = placeOf(peer) !== undefined || typeof host === 'bigint'
  if (session.localAddress !== undefined && (typeof session.localAddress === 'bigint') !== isSix)
    yield {
      path: [...path, 'localAddress'],
      says: `must be of the family of the session, which is over ${isSix ? 'IPv6' : 'IPv4'}`,
    }
  if (placeOf(peer) !== undefined && session.bfd?.multihop === true)
    yield { path: [...path, 'bfd', 'multihop'], says: 'a peer on the link is one hop away: remove it' }
}

function* complaintsAboutGroup(
  { group }: { readonly group?: string | undefined },
  path: Path,
  { groups }: Config,
): Generator<Complaint> {
  if (group !== undefined && groups[group] === undefined)
    yield { path: [...path, 'group'], says: `there is no group "${group}": ${oneOfNames(groups)}` }
}

function* complaintsAboutSession(session: Group, path: Path, { policies }: Config): Generator<Complaint> {
  if (session.holdTime === 1 || session.holdTime === 2)
    yield { path: [...path, 'holdTime'], says: 'must be 0 or at least 3 seconds' }
  for (const way of ['import', 'export'] as const)
    for (const [index, name] of (session[way] ?? []).entries())
      if (policies[name] === undefined)
        yield { path: [...path, way, index], says: `there is no policy "${name}": ${oneOfNames(policies)}` }
}

/** RFC 9234 §4: roles are for other ASes. */
function* complaintsAboutRole(neighbour: Neighbour | DynamicNeighbour, path: Path, config: Config): Generator<Complaint> {
  const { session, asn } = resolved(neighbour, config)
  if (session.role !== undefined && isInside(asn, session, config))
    yield {
      path: [...path, 'role'],
      says: `a peer of our own AS ${asn === 'internal' ? config.asn : asn} has no role: remove it`,
    }
  if (session.role === undefined && session.strictRole === true)
    yield { path: [...path, 'strictRole'], says: 'insists on a role, and we have none ourselves: say "role"' }
}

/** What is legal and still probably not meant. RFC 8212. */
function warningsAbout(config: Config): readonly Complaint[] {
  if (config.externalWithoutPolicy === 'accept') return []
  return config.neighbours.flatMap((neighbour, index) => {
    const { session, asn } = resolved(neighbour, config)
    const missing = (['import', 'export'] as const).filter(way => session[way] === undefined)
    if (isInside(asn, session, config) || missing.length === 0) return []
    const whom = asn === 'external' ? 'another AS' : `AS ${asn}`
    const says = `no ${missing.join(' and no ')} policy towards ${whom}: nothing passes there (RFC 8212); name policies, or set externalWithoutPolicy to accept`
    return [{ path: ['neighbours', index], says }]
  })
}

function isInside(asn: PeerConfig['asn'], { localAs }: Group, config: Config): boolean {
  return asn === 'internal' || asn === (localAs?.asn ?? config.asn)
}

function oneOfNames(known: Readonly<Record<string, unknown>>): string {
  const names = Object.keys(known)
  return names.length === 0 ? 'define it' : `there are ${names.join(', ')}`
}

function toSettings(config: Config): Settings {
  const { routerId, asn, listen, holdTime, connectRetry, gracefulRestart, routeReflector, originate } = config
  const clusterId = routeReflector?.clusterId
  return {
    control: config.control ?? DEFAULT_CONTROL,
    speaker: {
      routerId,
      asn,
      listen,
      holdTime: seconds(holdTime),
      connectRetry: millis(connectRetry * 1000),
      gracefulRestart: {
        restartTime: seconds(gracefulRestart.restartTime),
        restarting: false,
        deferral: DEFERRAL,
        ...given({ longLived: toLongLived(gracefulRestart) }),
      },
      withoutPolicy: config.externalWithoutPolicy,
      decision: withoutFalse(config.decision),
      dynamicPeers: config.dynamicNeighbours.map(each => toDynamicPeers(each, config)),
      ...(clusterId === undefined ? {} : { clusterId }),
      ...(routeReflector?.clientToClient === false ? { clientToClient: 'off' } : {}),
      alsoListen: config.alsoListen,
      ...(gracefulRestart.notification ? { keepOverNotification: true } : {}),
    },
    peers: config.neighbours.flatMap(neighbour => {
      const address = peerOf(neighbour)
      return address === undefined ? [] : [toPeer(neighbour, address, config)]
    }),
    originations: new Map(originate.map(each => [formatAnyPrefix(each.prefix), toOrigination(each)])),
    watch: toWatch(config),
  }
}

function toLongLived({ longLived }: Config['gracefulRestart']): LongLived | undefined {
  if (longLived === undefined) return undefined
  return { staleTime: seconds(longLived.staleTime), ...given({ lastResortInside: onlyTrue(longLived.lastResortInside) }) }
}

function toWatch({ bmp, mrt, lookingGlass }: Config): WatchSettings {
  const { messages, tables } = mrt
  return {
    bmp: bmp.map(({ host, port, statistics }) => ({
      host,
      port,
      statisticsEvery: statistics === 0 ? undefined : millis(statistics * 1000),
    })),
    mrt: {
      messages,
      tables: tables === undefined ? undefined : { directory: tables.directory, every: millis(tables.every * 1000) },
    },
    lookingGlass,
  }
}

function toPeer(neighbour: Neighbour, address: PeerAddress, config: Config): PeerConfig {
  const { session, asn } = resolved(neighbour, config)
  return {
    address,
    name: neighbour.name ?? formatPeer(address),
    port: session.port ?? BGP_PORT,
    passive: session.passive ?? false,
    dialAfter: millis(0),
    ...toSession(session, asn, config),
  }
}

function toDynamicPeers(each: DynamicNeighbour, config: Config): DynamicPeers {
  const { session, asn } = resolved(each, config)
  return { range: each.prefix, limit: each.limit, peer: toSession(session, asn, config) }
}

/** Own settings before those of the group. */
function resolved(
  neighbour: Group & { readonly group?: string | undefined },
  config: Config,
): { readonly session: Group; readonly asn: PeerConfig['asn'] } {
  const group: Group = (neighbour.group === undefined ? undefined : config.groups[neighbour.group]) ?? {}
  const own = Object.fromEntries(Object.entries(neighbour).filter(([, value]) => value !== undefined))
  const session: Group = { ...group, ...own }
  return { session, asn: session.asn ?? config.asn }
}

function toSession(session: Group, asn: PeerConfig['asn'], config: Config): DynamicPeers['peer'] {
  const { localAs, allowOwnAs, maxPrefixes, localAddress4, localAddress6, shutdown, holdTime, minHoldTime, connectRetry } =
    session
  return {
    asn,
    ...given({
      families: session.families ?? config.families,
      holdTime: inSeconds(holdTime),
      minHoldTime: inSeconds(minHoldTime),
      connectRetry: connectRetry === undefined ? undefined : millis(connectRetry * 1000),
      localAs,
      allowOwnAs,
      maxPrefixes:
        maxPrefixes === undefined
          ? undefined
          : {
              limit: maxPrefixes.limit,
              warnAt: maxPrefixes.warnAt,
              restartAfter: maxPrefixes.restartAfter === undefined ? undefined : millis(maxPrefixes.restartAfter * 1000),
            },
      addPath: addPathOf(session, config),
      maxPaths: session.maxPaths,
      importPolicy: chainOf(session.import, config),
      exportPolicy: chainOf(session.export, config),
      localAddress: session.localAddress,
      password: session.password,
      bfd: toBfd(session.bfd),
      ttlSecurity: session.ttlSecurity === undefined ? undefined : { hops: session.ttlSecurity },
      ttl: session.ttl,
      device: session.device,
      localAddress4,
      localAddress6,
      shutdown,
      client: onlyTrue(session.routeReflectorClient),
      drain: onlyTrue(session.drain),
      asOverride: onlyTrue(session.asOverride),
      skipLoops: onlyTrue(session.skipLoops),
      removePrivateAs: onlyTrue(session.removePrivateAs),
      isRouteServer: onlyTrue(session.routeServer),
      role: session.role,
      strictRole: onlyTrue(session.strictRole),
      acceptAsSets: onlyTrue(session.acceptAsSets),
      routeServerClient: onlyTrue(session.routeServerClient),
      nextHops: session.nextHops === undefined ? undefined : given(session.nextHops),
      weight: session.weight,
      advertisementInterval: session.advertisementInterval === undefined ? undefined : millis(session.advertisementInterval),
      ipv4OverIpv6: session.ipv4OverIpv6,
    }),
  }
}

/** What is said of one family counts before what is said of all. */
function addPathOf({ addPath, families }: Group, config: Config): readonly AddPath[] | undefined {
  if (addPath === undefined) return undefined
  const { ipv4, ipv6, ...all } = addPath
  return (families ?? config.families ?? [IPV4_UNICAST]).map(family => {
    const said = { ...all, ...given((sameFamily(family, IPV6_UNICAST) ? ipv6 : ipv4) ?? {}) }
    return { family, ...given({ send: said.send, receive: onlyTrue(said.receive) }) }
  })
}

function toBfd(bfd: Group['bfd']): PeerConfig['bfd'] {
  if (bfd === undefined) return undefined
  const { minTx, minRx, multiplier, multihop, strict } = bfd
  return { minTx: millis(minTx), minRx: millis(minRx), multiplier, multihop, ...(strict ? { strict } : {}) }
}

function inSeconds(value: number | undefined): Seconds | undefined {
  return value === undefined ? undefined : seconds(value)
}

function onlyTrue(value: boolean | undefined): true | undefined {
  return value === true ? true : undefined
}

function chainOf(names: readonly string[] | undefined, config: Config): PolicyChain | undefined {
  const sets = setsOf(config)
  return names?.flatMap(name => {
    const policy = config.policies[name]
    return policy === undefined ? [] : [toPolicy(name, policy, sets)]
  })
}

function setsOf({ prefixSets }: Config): PrefixSets {
  return name => prefixSets[name]
}

function toOrigination({ prefix, med, communities, largeCommunities }: Config['originate'][number]): Origination {
  return { prefix, ...given({ med, communities, largeCommunities }) }
}

function withoutFalse(decision: Config['decision']): NonNullable<SpeakerOptions['decision']> {
  const { multipath, ...flags } = decision
  const set = Object.fromEntries(Object.entries(flags).filter(([, value]) => value === true))
  return { ...set, ...given({ multipath }) }
}

type Given<T> = { readonly [K in keyof T]?: Exclude<T[K], undefined> }

/** What is there and not undefined: absent settings are absent. */
function given<T extends object>(values: T): Given<T> {
  const found: Given<T> = { ...values }
  for (const name of Object.keys(found)) if (Reflect.get(found, name) === undefined) Reflect.deleteProperty(found, name)
  return found
}
