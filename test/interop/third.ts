/** A neighbour of us and of the router that says exactly what it is told to, and keeps what it hears. */
import { type AnyPrefix, anyPrefix, formatAnyPrefix } from '@network/base/net/any-prefix.ts'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { ipv6 } from '@network/base/net/ipv6.ts'
import { prefix } from '@network/base/net/prefix.ts'
import { systemClock } from '@network/base/time/clock.ts'
import { seconds } from '@network/base/time/units.ts'
import { NOWHERE } from '@network/bgp/attributes/attributes.ts'
import { encodeAttributes } from '@network/bgp/attributes/encode.ts'
import { encodeReach } from '@network/bgp/attributes/multiprotocol.ts'
import { tcpTransport } from '@network/bgp/session/tcp.ts'
import type { Attributes } from '@network/bgp/speaker.ts'
import { RawPeer } from '@network/bgp/testing/raw-peer.ts'
import { type Family, IPV4_UNICAST, IPV6_UNICAST } from '@network/bgp/wire/capabilities.ts'
import type { Dialect } from '@network/bgp/wire/dialect.ts'
import { frame } from '@network/bgp/wire/header.ts'
import { decodeUpdate, encodeAnnouncement } from '@network/bgp/wire/update.ts'
import { type Kind, thirdAsn } from './roles.ts'
import { FOREIGN_ROUTES, FOREIGN_ROUTES6, type Router, THIRD } from './routers.ts'

export const THIRD6 = 'fd00:9::3'
const FAMILIES = [IPV4_UNICAST, IPV6_UNICAST]
const HOPS6 = { nextHop: NOWHERE, nextHop6: { address: ipv6(THIRD6), linkLocal: undefined } }

export class Third {
  readonly #peer = new RawPeer()
  readonly #dialect: Dialect

  private constructor(kind: Kind) {
    this.#dialect = { kind, asnOctets: 4, multiprotocol: { families: FAMILIES, ipv6NextHop: true } }
  }

  /** A session with one of the two, without timers. */
  static async meet(whom: string, kind: Kind, router: Router): Promise<Third> {
    const third = new Third(kind)
    const peer = third.#peer
    const [asn, routerId] = [thirdAsn(kind), ipv4(THIRD)]
    peer.dial(tcpTransport(systemClock), ipv4(whom), routerId)
    await router.until('OPEN for the third', () => peer.kinds.includes('open'))
    const capabilities = { fourOctetAs: asn, families: FAMILIES, extendedMessages: true, ipv4OverIpv6: true }
    peer.greet({ myAs: asn, routerId, holdTime: seconds(0) }, capabilities)
    await router.until('KEEPALIVE for the third', () => peer.kinds.includes('keepalive'))
    return third
  }

  /** Announces the foreign routes of both families. */
  say(attributes: Attributes): void {
    this.#peer.say(encodeAnnouncement(encodeAttributes(attributes, this.#dialect), FOREIGN_ROUTES.map(prefix)))
    this.#sayOver6(attributes, IPV6_UNICAST, FOREIGN_ROUTES6.map(anyPrefix))
  }

  /** Announces those of IPv4, with an IPv6 next hop. */
  sayIpv4OverIpv6(attributes: Attributes): void {
    this.#sayOver6(attributes, IPV4_UNICAST, FOREIGN_ROUTES.map(anyPrefix))
  }

  #sayOver6(attributes: Attributes, family: Family, prefixes: readonly AnyPrefix[]): void {
    const reach = encodeReach(family, HOPS6, prefixes)
    const block = [0x80, 14, reach.length, ...reach, ...encodeAttributes({ ...attributes, ...HOPS6 }, this.#dialect)]
    this.#peer.say(frame('update', Uint8Array.from([0, 0, block.length >> 8, block.length & 255, ...block])))
  }

  /** In how many UPDATEs these octets (hex) came to it. */
  heard(octets: string): number {
    return this.#updates().filter(body => Buffer.from(body).toString('hex').includes(octets)).length
  }

  /** Every prefix that it was told of, and every one that it was told is gone, as `+10.1.0.0/24` and `-10.1.0.0/24`. */
  diary(): readonly string[] {
    return this.#updates().flatMap(body => {
      const said = decodeUpdate(body, this.#dialect)
      if (said.is !== 'routes') return []
      const gone = [...said.withdrawn, ...said.ipv6.withdrawn].map(each => `-${formatAnyPrefix(each)}`)
      const come = [...said.announced, ...said.ipv6.announced].flatMap(({ prefixes }) =>
        prefixes.map(each => `+${formatAnyPrefix(each)}`),
      )
      return [...gone, ...come]
    })
  }

  #updates(): readonly Uint8Array[] {
    return this.#peer.heard.filter(({ kind }) => kind === 'update').map(({ body }) => body)
  }

  [Symbol.dispose](): void {
    this.#peer.hangUp()
  }
}
