/** Two OPENs → the terms of the session, or why there is none. RFC 4271 §4.2, §6.2; RFC 6286; RFC 6793; RFC 7607. */
import { formatIpv4 } from '@network/base/net/ipv4.ts'
import { type Millis, millis, type Seconds, seconds } from '@network/base/time/units.ts'
import { encodeCapabilities, type GracefulRestart, IPV4_UNICAST, NO_CAPABILITIES, sameFamily } from '../wire/capabilities.ts'
import type { Dialect } from '../wire/dialect.ts'
import { type Notification, notification, OPEN_FAULT } from '../wire/notification.ts'
import { asnOf, type Open } from '../wire/open.ts'

export interface SessionTerms {
  readonly dialect: Dialect
  readonly remote: Open
  /** 0: neither hold timer nor keepalives. */
  readonly holdTime: Seconds
  readonly keepalive: Millis
  readonly routeRefresh: boolean
  /** What the peer said of RFC 4724; undefined: it does not take part, and no End-of-RIB is expected. */
  readonly gracefulRestart: GracefulRestart | undefined
}

export type Negotiated =
  | { readonly ok: true; readonly terms: SessionTerms }
  | { readonly ok: false; readonly notification: Notification; readonly says: string }

const FASTEST_KEEPALIVE = 1000

export function negotiate(ours: Open, theirs: Open, expectedAsn: number): Negotiated {
  const refusal = refuse(ours, theirs, expectedAsn)
  if (refusal !== undefined) return { ok: false, ...refusal }
  const holdTime = seconds(Math.min(ours.holdTime, theirs.holdTime))
  const bothWide = ours.capabilities.fourOctetAs !== undefined && theirs.capabilities.fourOctetAs !== undefined
  const terms: SessionTerms = {
    dialect: { kind: asnOf(theirs) === asnOf(ours) ? 'internal' : 'external', asnOctets: bothWide ? 4 : 2 },
    remote: theirs,
    holdTime,
    keepalive: millis(holdTime === 0 ? 0 : Math.max(FASTEST_KEEPALIVE, (holdTime * 1000) / 3)),
    routeRefresh: theirs.capabilities.routeRefresh,
    gracefulRestart: theirs.capabilities.gracefulRestart,
  }
  return { ok: true, terms }
}

type Refusal = { readonly notification: Notification; readonly says: string }

function refuse(ours: Open, theirs: Open, expectedAsn: number): Refusal | undefined {
  const asn = asnOf(theirs)
  if (asn === 0 || theirs.myAs === 0) return bad(OPEN_FAULT.badPeerAs, 'the peer says AS 0')
  if (asn !== expectedAsn) return bad(OPEN_FAULT.badPeerAs, `the peer says AS ${asn}, configured is ${expectedAsn}`)
  if (theirs.routerId === 0) return bad(OPEN_FAULT.badIdentifier, 'the peer says BGP identifier 0.0.0.0')
  if (theirs.routerId === ours.routerId && asn === asnOf(ours))
    return bad(OPEN_FAULT.badIdentifier, `the peer has our own BGP identifier ${formatIpv4(theirs.routerId)}`)
  if (theirs.holdTime === 1 || theirs.holdTime === 2) return bad(OPEN_FAULT.badHoldTime, `hold time of ${theirs.holdTime} s`)
  const { families } = theirs.capabilities
  if (families.length > 0 && !families.some(family => sameFamily(family, IPV4_UNICAST))) return withoutIpv4()
  return undefined
}

/** RFC 5492 §5: the data names the capability that we miss. */
function withoutIpv4(): Refusal {
  const wanted = encodeCapabilities({ ...NO_CAPABILITIES, families: [IPV4_UNICAST] })
  return {
    notification: notification(OPEN_FAULT.code, OPEN_FAULT.missingCapability, wanted),
    says: 'the peer does not speak IPv4 unicast',
  }
}

function bad(subcode: number, says: string): Refusal {
  return { notification: notification(OPEN_FAULT.code, subcode), says }
}
