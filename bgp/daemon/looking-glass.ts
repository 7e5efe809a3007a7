/** A read-only JSON service in the manner of birdwatcher, which looking glasses such as Alice read. */
import { createServer, type Server } from 'node:http'
import { formatAnyPrefix, parseAnyPrefix } from '@network/base/net/any-prefix.ts'
import { Fault, reasonOf } from '@network/base/run/fault.ts'
import type { Clock } from '@network/base/time/clock.ts'
import type { AsPath } from '../attributes/attributes.ts'
import { parsePeer } from '../peer-address.ts'
import type { Path } from '../rib/path.ts'
import type { Speaker } from '../speaker.ts'
import type { PeerStatus } from '../status.ts'
import { type RouteLine, toLine } from './answers.ts'

const API_VERSION = '2.0.0'

/** Listens until it is disposed of; a Fault says why it cannot. */
export async function openLookingGlass(
  at: { readonly address: string; readonly port: number },
  speaker: Speaker,
  clock: Clock,
): Promise<AsyncDisposable & { readonly port: number }> {
  const started = clock.wall()
  const server = createServer(({ url = '/', method }, response) => {
    const words = wordsOf(url)
    const said = method === 'GET' && words !== undefined ? answer(words, speaker, started, clock.wall()) : undefined
    const body = said ?? { error: `nobody knows ${url}` }
    response.writeHead(said === undefined ? 404 : 200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  })
  await listen(server, at)
  const bound = server.address()
  return {
    port: typeof bound === 'object' && bound !== null ? bound.port : at.port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

/** Anybody may ask anything: undefined where the path of a request cannot be read. */
function wordsOf(url: string): readonly string[] | undefined {
  try {
    return URL.parse(url, 'http://glass')?.pathname.split('/').filter(Boolean).map(decodeURIComponent)
  } catch (reason) {
    if (reason instanceof URIError) return undefined
    throw reason
  }
}

/** Undefined: there is no such page. */
function answer(
  words: readonly string[],
  speaker: Speaker,
  started: Date,
  now: Date,
): Readonly<Record<string, unknown>> | undefined {
  const body = page(words, speaker, started, now)
  if (body === undefined) return undefined
  return { api: { Version: API_VERSION, result_from_cache: false, cache_status: { cached_at: now.toISOString() } }, ...body }
}

function page(
  words: readonly string[],
  speaker: Speaker,
  started: Date,
  now: Date,
): Readonly<Record<string, unknown>> | undefined {
  const [first, second, ...rest] = words
  if (first === 'status' && words.length === 1) return { status: statusOf(speaker, started, now) }
  if (first === 'protocols' && (second === undefined || second === 'bgp') && rest.length === 0)
    return { protocols: Object.fromEntries(speaker.status().peers.map(peer => [nameOf(peer), protocolOf(peer)])) }
  if (first !== 'routes' && first !== 'route') return undefined
  const routes = routesOf(second, rest.join('/'), speaker)
  return routes === undefined ? undefined : { routes }
}

function statusOf(speaker: Speaker, started: Date, now: Date): Readonly<Record<string, unknown>> {
  return {
    router_id: speaker.status().routerId,
    version: 'cali-bgpd',
    message: speaker.status().settled ? 'up and running' : 'waiting for its peers',
    current_server: now.toISOString(),
    last_reboot: started.toISOString(),
    last_reconfig: started.toISOString(),
  }
}

/** birdwatcher names a session; ours is named after the peer's address. */
function nameOf({ address }: PeerStatus): string {
  return `bgp_${address.replaceAll(/[.:%]/g, '_')}`
}

function protocolOf(peer: PeerStatus): Readonly<Record<string, unknown>> {
  const { prefixes } = peer
  return {
    protocol: nameOf(peer),
    bird_protocol: 'BGP',
    description: peer.name,
    state: peer.state === 'established' ? 'up' : 'down',
    bgp_state: peer.state,
    state_changed: peer.since,
    neighbor_address: peer.address,
    neighbor_as: peer.remoteAsn,
    neighbor_id: peer.routerId,
    last_error: peer.lastError?.text ?? '',
    routes: {
      imported: prefixes.accepted,
      filtered: prefixes.received - prefixes.accepted,
      exported: prefixes.advertised,
      preferred: prefixes.accepted,
    },
  }
}

function routesOf(which: string | undefined, about: string, speaker: Speaker): readonly unknown[] | undefined {
  if (which === 'net' || which === 'prefix') {
    const parsed = parseAnyPrefix(about)
    return parsed.ok ? speaker.paths(formatAnyPrefix(parsed.value)).map((path, place) => routeOf(path, place === 0)) : undefined
  }
  const peer = speaker.status().peers.find(each => nameOf(each) === about || each.address === about)
  const address = peer === undefined ? undefined : parsePeer(peer.address)
  if (address === undefined) return undefined
  const heard = [...speaker.adjIn(address)]
  if (which === 'protocol' || which === 'peer') return heard.filter(isUsed).map(path => routeOf(path, isBest(path, speaker)))
  if (which === 'filtered') return heard.filter(path => !isUsed(path)).map(path => routeOf(path, false))
  return undefined
}

function isUsed({ standing }: Path): boolean {
  return standing.is === 'usable'
}

function isBest({ key, source }: Path, speaker: Speaker): boolean {
  return speaker.explain(key).paths.some(({ from, verdict }) => from === source.id && verdict.is === 'best')
}

function routeOf(path: Path, primary: boolean): Readonly<Record<string, unknown>> {
  const { prefix, attributes, source } = path
  const line = toLine(prefix, attributes, path)
  return {
    network: line.prefix,
    gateway: line.nextHop,
    from_protocol: source.id,
    learnt_from: source.id,
    primary,
    type: ['BGP', 'unicast', 'univ'],
    bgp: bgpOf(line, attributes.asPath),
    ...(path.standing.is === 'refused' ? { details: { refused: path.standing.why } } : {}),
  }
}

function bgpOf(line: RouteLine, asPath: AsPath): Readonly<Record<string, unknown>> {
  const numbers = (community: string) => community.split(':').map(Number)
  return {
    origin: { igp: 'IGP', egp: 'EGP', incomplete: 'Incomplete' }[line.origin] ?? line.origin,
    as_path: asPath.flatMap(({ asns }) => asns),
    next_hop: line.nextHop,
    local_pref: line.localPref,
    med: line.med,
    communities: line.communities.map(numbers),
    large_communities: line.largeCommunities.map(numbers),
    ext_communities: line.extendedCommunities.map(community => community.split(':')),
  }
}

function listen(server: Server, { address, port }: { readonly address: string; readonly port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', cause => {
      const on = `${address} port ${port}`
      const detail = {
        doing: 'open the looking glass on',
        on,
        says: reasonOf(cause),
        mend: 'choose another address or port under "lookingGlass"',
      }
      reject(new Fault('bgpd.looking-glass', detail, { cause }))
    })
    server.listen({ host: address, port }, resolve)
  })
}
