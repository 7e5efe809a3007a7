/** A speaker for those who only want to listen and tell: addresses as text, everything else as it usually is. */
import { ipv4 } from '@network/base/net/ipv4.ts'
import { silentLog } from '@network/base/run/log.ts'
import { systemClock, systemRandom } from '@network/base/time/clock.ts'
import { millis, seconds } from '@network/base/time/units.ts'
import { parsePeer } from './peer-address.ts'
import { acceptAll, type PeerConfig, Speaker, type SpeakerOptions } from './speaker.ts'

export interface SimpleOptions extends Partial<Omit<SpeakerOptions, 'routerId' | 'asn'>> {
  readonly routerId: string
  readonly asn: number
  readonly peers: readonly SimplePeer[]
}

export interface SimplePeer extends Partial<Omit<PeerConfig, 'address' | 'asn'>> {
  /** `192.0.2.1`, `2001:db8::1`, `fe80::1%eth1`, or `eth1` for whoever is at its other end. */
  readonly address: string
  readonly asn: PeerConfig['asn']
}

/** Not started yet: it dials its peers, and listens only where `listen` says so. Throws on a text that is no address. */
export function simpleSpeaker({ routerId, asn, peers, ...options }: SimpleOptions): Speaker {
  const speaker = new Speaker({ ...USUAL, ...options, routerId: ipv4(routerId), asn })
  speaker.setPeers(peers.map(({ address, ...peer }) => ({ ...USUAL_PEER, name: address, ...peer, address: peerOf(address) })))
  return speaker
}

function peerOf(text: string): PeerConfig['address'] {
  const peer = parsePeer(text)
  if (peer === undefined) throw new TypeError(`neither an address nor an interface: ${text}`)
  return peer
}

const USUAL: Omit<SpeakerOptions, 'routerId' | 'asn'> = {
  listen: undefined,
  holdTime: seconds(90),
  connectRetry: millis(5000),
  gracefulRestart: { restartTime: seconds(120), restarting: false, deferral: millis(60_000) },
  importFilter: acceptAll,
  clock: systemClock,
  random: systemRandom,
  log: silentLog,
}

const USUAL_PEER = { port: 179, passive: false, dialAfter: millis(0) }
