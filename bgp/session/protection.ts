/** What the settings of a peer ask of its streams, and what a dial without an answer may mean then. */
import { formatAddress } from '@network/base/net/any-address.ts'
import { type AnyPrefix, hostPrefix } from '@network/base/net/any-prefix.ts'
import type { DynamicPeers, PeerConfig } from '../options.ts'
import type { PeerStatus } from '../status.ts'
import { type Endpoint, type Expected, type Guard, UNGUARDED } from './transport.ts'

const FULL_TTL = 255

type Protected = Pick<PeerConfig, 'password' | 'ttlSecurity' | 'ttl' | 'device'>

export function guardOf({ password, ttlSecurity, ttl, device }: Protected): Guard {
  if (password === undefined && ttlSecurity === undefined && ttl === undefined && device === undefined) return UNGUARDED
  const sent = ttlSecurity === undefined ? ttl : FULL_TTL
  return {
    ...(password === undefined ? {} : { password }),
    ...(sent === undefined ? {} : { ttl: sent }),
    ...(ttlSecurity === undefined ? {} : { minTtl: FULL_TTL + 1 - ttlSecurity.hops }),
    ...(device === undefined ? {} : { device }),
  }
}

/** What a listener is to know of those who may come, named or not; who is known by an interface alone counts once somebody was found there. */
export function expectedOf(
  peers: Iterable<{ readonly peer: PeerConfig; readonly at: Endpoint | undefined }>,
  ranges: readonly DynamicPeers[],
): readonly Expected[] {
  const named = [...peers].flatMap(({ peer, at }): readonly [AnyPrefix, Protected][] =>
    at === undefined ? [] : [[hostPrefix(at.address), peer]],
  )
  const unnamed = ranges.map(({ range, peer }): [AnyPrefix, Protected] => [range, peer])
  return [...named, ...unnamed].flatMap(([range, peer]) => {
    const guard = guardOf(peer)
    return guard === UNGUARDED ? [] : [{ range, guard }]
  })
}

/** A segment that is signed wrongly, or comes from too far, is dropped without a word: nobody can tell it from silence. */
export function sayUnanswered({ password, ttlSecurity }: PeerConfig, { address, port, zone }: Endpoint): string {
  const doubts = [
    ...(password === undefined ? [] : ['a password is set here, and one that differs or is missing there looks like this']),
    ...(ttlSecurity === undefined
      ? []
      : [`TTL security is set here for ${ttlSecurity.hops} hops, and a peer without it looks like this`]),
  ]
  const place = zone === undefined ? '' : `%${zone}`
  return [`no answer from ${formatAddress(address)}${place} port ${port}`, ...doubts].join(': ')
}

export function sayProtection({ password, ttlSecurity, ttl, device }: Protected): PeerStatus['protection'] {
  return {
    md5: password !== undefined,
    ttlSecurityHops: ttlSecurity?.hops ?? null,
    ttl: ttl ?? null,
    device: device ?? null,
  }
}
