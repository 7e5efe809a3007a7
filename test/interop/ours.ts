/** Our own speaker at the end of a cable to a real router. */
import assert from 'node:assert/strict'
import { anyAddress } from '@network/base/net/any-address.ts'
import { anyPrefix } from '@network/base/net/any-prefix.ts'
import { formatIpv4, ipv4 } from '@network/base/net/ipv4.ts'
import { formatIpv6, ipv6 } from '@network/base/net/ipv6.ts'
import { silentLog } from '@network/base/run/log.ts'
import { systemClock, systemRandom } from '@network/base/time/clock.ts'
import { millis, seconds } from '@network/base/time/units.ts'
import { acceptAll } from '@network/bgp/options.ts'
import { parsePeer } from '@network/bgp/peer-address.ts'
import { recordedSpeaker } from '@network/bgp/record/recorder.ts'
import { tcpTransport } from '@network/bgp/session/tcp.ts'
import {
  type Attributes,
  type Origination,
  type PeerConfig,
  type PeerStatus,
  Speaker,
  type SpeakerOptions,
} from '@network/bgp/speaker.ts'
import { type Observer, observed } from '@network/bgp/watch/observe.ts'
import { IPV4_UNICAST, IPV6_UNICAST } from '@network/bgp/wire/capabilities.ts'
import { OURS, OURS6, THEIRS, THIRD } from './routers.ts'

export const OUR_ROUTES = ['10.244.0.0/26', '2001:db8:244::/48']

export interface StartOptions {
  readonly address?: string
  /** Whom it peers with. */
  readonly to?: string
  readonly originate?: readonly string[]
  readonly peer?: Partial<PeerConfig>
  /** Peers with the third speaker too, and how. */
  readonly third?: Partial<PeerConfig> | undefined
  readonly clusterId?: string
  /** Its routes are kept over a long absence, so many seconds, after the restart time (RFC 9494). */
  readonly longLived?: { readonly staleTime: number; readonly restartTime: number } | undefined
  /** It lived before, and forwarding went on. */
  readonly restarting?: true
  /** Sees every message. */
  readonly observer?: Observer
  /** Takes the lines of a recording of all that happens to it. */
  readonly record?: (line: string) => void
}

export interface Us extends AsyncDisposable {
  readonly speaker: Speaker
  /** Prefixes of all changes told so far. */
  readonly changes: readonly string[]
  /** Best paths from others: prefix, next hop and AS path. */
  heard(): readonly string[]
  attributes(key: string): Attributes
  peer(): PeerStatus
  reconfigure(peer: Partial<PeerConfig>): void
  originate(...texts: readonly string[]): void
}

export async function start({
  address = OURS,
  to = THEIRS,
  originate = OUR_ROUTES,
  peer = {},
  third,
  clusterId,
  restarting,
  longLived,
  observer,
  record,
}: StartOptions): Promise<Us> {
  const options: SpeakerOptions = {
    ...optionsFor(address, clusterId),
    gracefulRestart: restartFor(restarting === true, longLived),
    ...(observer === undefined ? {} : { transport: observed(tcpTransport(systemClock), observer) }),
  }
  const speaker = record === undefined ? new Speaker(options) : recordedSpeaker(options, record)
  const peers = (changes: Partial<PeerConfig>) => [
    peerAt(to, changes),
    ...(third === undefined ? [] : [{ ...peerAt(THIRD, third), passive: true }]),
  ]
  const changes: string[] = []
  speaker.onChange(change => {
    if (change.is === 'routes') changes.push(...change.prefixes)
  })
  const say = (texts: readonly string[]) =>
    speaker.originate(new Map(texts.map((text): [string, Origination] => [text, { prefix: anyPrefix(text) }])))
  say(originate)
  speaker.setPeers(peers(peer))
  await speaker.start()
  return {
    speaker,
    changes,
    heard: () =>
      [...speaker.routes()]
        .filter(({ source }) => source.kind !== 'local')
        .map(({ key, attributes }) => sayRoute(key, attributes))
        .sort(),
    attributes(key) {
      const [path] = speaker.paths(key).filter(({ source }) => source.kind !== 'local')
      assert.ok(path !== undefined, `a path to ${key}`)
      return path.attributes
    },
    peer() {
      const found = speaker.status().peers.find(each => each.address === to)
      assert.ok(found !== undefined)
      return found
    },
    reconfigure: changed => speaker.setPeers(peers(changed)),
    originate: (...texts) => say(texts),
    [Symbol.asyncDispose]: () => speaker.stop({ graceful: false }),
  }
}

function sayRoute(key: string, { nextHop, nextHop6, asPath }: Attributes): string {
  const via = nextHop6 === undefined ? formatIpv4(nextHop) : formatIpv6(nextHop6.address)
  const path = asPath.flatMap(({ asns }) => asns)
  return `${key} via ${via}${path.length === 0 ? '' : ` path ${path.join(' ')}`}`
}

function peerAt(text: string, changes: Partial<PeerConfig>): PeerConfig {
  const address = parsePeer(text)
  assert.ok(address !== undefined, `a peer at ${text}`)
  return {
    address,
    name: 'router',
    asn: 64512,
    port: 179,
    passive: false,
    dialAfter: millis(0),
    families: [IPV4_UNICAST, IPV6_UNICAST],
    ...(typeof address === 'number' ? { localAddress6: ipv6(OURS6) } : {}),
    ...changes,
  }
}

function restartFor(restarting: boolean, longLived: StartOptions['longLived']): SpeakerOptions['gracefulRestart'] {
  const { restartTime = 120, staleTime } = longLived ?? {}
  const base = { restartTime: seconds(restartTime), restarting, deferral: millis(60_000) }
  return staleTime === undefined ? base : { ...base, longLived: { staleTime: seconds(staleTime) } }
}

function optionsFor(address: string, clusterId: string | undefined): Omit<SpeakerOptions, 'gracefulRestart'> {
  return {
    routerId: ipv4(address.includes(':') ? OURS : address),
    asn: 64512,
    listen: { address: anyAddress(address), port: 179 },
    holdTime: seconds(9),
    connectRetry: millis(1000),
    importFilter: acceptAll,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    ...(clusterId === undefined ? {} : { clusterId: ipv4(clusterId) }),
  }
}
