/** Two OPENs → the terms of the session, or why there is none. RFC 4271 §4.2, §6.2; RFC 6286; RFC 6793; RFC 7607; RFC 9234 §4. */
import { formatIpv4 } from '@network/base/net/ipv4.ts'
import { type Millis, millis, type Seconds, seconds } from '@network/base/time/units.ts'
import type { Role } from '../attributes/only-to-customer.ts'
import {
  type AddPathFamily,
  encodeCapabilities,
  type Family,
  type GracefulRestart,
  IPV4_UNICAST,
  type LongLivedFamily,
  NO_CAPABILITIES,
  nameOfFamily,
  sameFamily,
} from '../wire/capabilities.ts'
import type { AddPath, Dialect, Multiprotocol } from '../wire/dialect.ts'
import { LONGEST_EXTENDED, LONGEST_MESSAGE } from '../wire/header.ts'
import { type Notification, notification, OPEN_FAULT } from '../wire/notification.ts'
import { asnOf, type Open } from '../wire/open.ts'

export interface SessionTerms {
  readonly dialect: Dialect
  readonly remote: Open
  /** 0: neither hold timer nor keepalives. */
  readonly holdTime: Seconds
  readonly keepalive: Millis
  /** What may be spoken of. */
  readonly families: readonly Family[]
  readonly routeRefresh: boolean
  /** Both tell the begin and the end of a refresh. RFC 7313. */
  readonly enhancedRefresh: boolean
  /** Octets of the longest UPDATE that may go either way. RFC 8654. */
  readonly longestMessage: number
  /** What the peer said of RFC 4724; undefined: it does not take part, and no End-of-RIB is expected. */
  readonly gracefulRestart: GracefulRestart | undefined
  /** What the peer said of RFC 9494, if we take part in it too; left out: nothing. */
  readonly longLived?: readonly LongLivedFamily[]
  /** Both keep routes over a NOTIFICATION that is no Hard Reset. RFC 8538. */
  readonly keptOverNotification: boolean
}

export type Negotiated =
  | { readonly ok: true; readonly terms: SessionTerms }
  | { readonly ok: false; readonly notification: Notification; readonly says: string }

/** RFC 4271 §4.4: no more than one a second. */
export const FASTEST_KEEPALIVE = 1000

/** What the operator says of the peer. */
export interface Expectation {
  /** A word: any AS of that kind. */
  readonly remoteAsn: number | 'internal' | 'external'
  /** Shorter hold times are refused; left out: what RFC 4271 allows. */
  readonly minHoldTime?: Seconds
  readonly acceptAsSets?: true
  /** What we are to the peer; left out: it may say of itself what it will. RFC 9234. */
  readonly role?: Role
  /** A peer that does not say its role is refused. */
  readonly strictRole?: true
}

/** In the order of their numbers. RFC 9234 §4.1. */
const ROLES: readonly Role[] = ['provider', 'rs', 'rs-client', 'customer', 'peer']
/** What the peer must be to us. RFC 9234 §4.2. */
const COUNTERPART: Readonly<Record<Role, Role>> = {
  provider: 'customer',
  customer: 'provider',
  rs: 'rs-client',
  'rs-client': 'rs',
  peer: 'peer',
}

/** The number that OPEN says. */
export function numberOfRole(role: Role): number {
  return ROLES.indexOf(role)
}

/** The one role that it says; undefined: none, several, or one that nobody knows. */
export function roleSaidIn({ capabilities: { roles = [] } }: Open): Role | undefined {
  return roles.length === 1 ? ROLES[roles[0] ?? ROLES.length] : undefined
}

export function negotiate(ours: Open, theirs: Open, expected: Expectation): Negotiated {
  const refusal = refuse(ours, theirs, expected)
  if (refusal !== undefined) return { ok: false, ...refusal }
  const holdTime = seconds(Math.min(ours.holdTime, theirs.holdTime))
  const bothWide = ours.capabilities.fourOctetAs !== undefined && theirs.capabilities.fourOctetAs !== undefined
  const terms: SessionTerms = {
    dialect: {
      kind: asnOf(theirs) === asnOf(ours) ? 'internal' : 'external',
      asnOctets: bothWide ? 4 : 2,
      ...multiprotocol(ours, theirs),
      ...(expected.acceptAsSets === true ? { asSets: 'accepted' } : {}),
      ...addPath(ours, theirs),
    },
    families: sharedFamilies(ours, theirs),
    remote: theirs,
    holdTime,
    keepalive: millis(holdTime === 0 ? 0 : Math.max(FASTEST_KEEPALIVE, (holdTime * 1000) / 3)),
    routeRefresh: theirs.capabilities.routeRefresh,
    enhancedRefresh: both(ours, theirs, 'enhancedRefresh'),
    longestMessage: both(ours, theirs, 'extendedMessages') ? LONGEST_EXTENDED : LONGEST_MESSAGE,
    gracefulRestart: theirs.capabilities.gracefulRestart,
    ...longLived(ours, theirs),
    keptOverNotification: [ours, theirs].every(({ capabilities }) => capabilities.gracefulRestart?.notification === true),
  }
  return { ok: true, terms }
}

function both(ours: Open, theirs: Open, what: 'enhancedRefresh' | 'extendedMessages' | 'ipv4OverIpv6'): boolean {
  return ours.capabilities[what] && theirs.capabilities[what]
}

/** RFC 9494 §3: without graceful restart the capability says nothing. */
function longLived(
  { capabilities: ours }: Open,
  { capabilities: theirs }: Open,
): { readonly longLived?: readonly LongLivedFamily[] } {
  if (ours.longLived === undefined || theirs.longLived === undefined || theirs.gracefulRestart === undefined) return {}
  return { longLived: theirs.longLived }
}

function multiprotocol(ours: Open, theirs: Open): { readonly multiprotocol?: Multiprotocol } {
  if (theirs.capabilities.families.length === 0) return {}
  return { multiprotocol: { families: sharedFamilies(ours, theirs), ipv6NextHop: both(ours, theirs, 'ipv4OverIpv6') } }
}

/** Each way of its own: where one wants to send and the other to receive. RFC 7911 §4. */
function addPath(ours: Open, theirs: Open): { readonly addPath?: AddPath } {
  const said = { ours: ours.capabilities.addPath ?? [], theirs: theirs.capabilities.addPath ?? [] }
  const among = (one: readonly AddPathFamily[], other: readonly AddPathFamily[]) =>
    sharedFamilies(ours, theirs).filter(
      family =>
        one.some(each => each.receive && sameFamily(each, family)) && other.some(each => each.send && sameFamily(each, family)),
    )
  const ways = { in: among(said.ours, said.theirs), out: among(said.theirs, said.ours) }
  return ways.in.length + ways.out.length === 0 ? {} : { addPath: ways }
}

/** Who says nothing of families speaks IPv4 unicast. RFC 4760 §8. */
function sharedFamilies(ours: Open, theirs: Open): readonly Family[] {
  const said = familiesOf(theirs)
  return familiesOf(ours).filter(family => said.some(each => sameFamily(each, family)))
}

function familiesOf({ capabilities: { families } }: Open): readonly Family[] {
  return families.length === 0 ? [IPV4_UNICAST] : families
}

type Refusal = { readonly notification: Notification; readonly says: string }

function refuse(ours: Open, theirs: Open, expected: Expectation): Refusal | undefined {
  const { remoteAsn, minHoldTime } = expected
  const asn = asnOf(theirs)
  if (asn === 0 || theirs.myAs === 0) return bad(OPEN_FAULT.badPeerAs, 'the peer says AS 0')
  if (!isExpected(asn, asnOf(ours), remoteAsn)) return bad(OPEN_FAULT.badPeerAs, sayWrongAs(asn, remoteAsn))
  if (theirs.routerId === 0) return bad(OPEN_FAULT.badIdentifier, 'the peer says BGP identifier 0.0.0.0')
  if (theirs.routerId === ours.routerId && asn === asnOf(ours))
    return bad(OPEN_FAULT.badIdentifier, `the peer has our own BGP identifier ${formatIpv4(theirs.routerId)}`)
  if (theirs.holdTime === 1 || theirs.holdTime === 2) return bad(OPEN_FAULT.badHoldTime, `hold time of ${theirs.holdTime} s`)
  if (minHoldTime !== undefined && theirs.holdTime < minHoldTime)
    return bad(OPEN_FAULT.badHoldTime, `hold time of ${theirs.holdTime} s, at least ${minHoldTime} s is wanted`)
  if (sharedFamilies(ours, theirs).length === 0) return withoutFamily(familiesOf(ours))
  return wrongRole(theirs, expected)
}

function isExpected(asn: number, ours: number, expected: Expectation['remoteAsn']): boolean {
  if (typeof expected === 'number') return asn === expected
  return (asn === ours) === (expected === 'internal')
}

function sayWrongAs(asn: number, expected: Expectation['remoteAsn']): string {
  const wanted = { internal: 'our own', external: 'another one' }
  return `the peer says AS ${asn}, configured is ${typeof expected === 'number' ? expected : wanted[expected]}`
}

function wrongRole(theirs: Open, { role, strictRole }: Expectation): Refusal | undefined {
  if (role === undefined) return undefined
  const wanted = COUNTERPART[role]
  const { roles = [] } = theirs.capabilities
  if (roles.length === 0)
    return strictRole === true ? bad(OPEN_FAULT.roleMismatch, `the peer says no role, ${wanted} is wanted`) : undefined
  if (roleSaidIn(theirs) === wanted) return undefined
  const said = roles.map(each => ROLES[each] ?? `number ${each}`).join(' and ')
  return bad(OPEN_FAULT.roleMismatch, `the peer says that it is ${said} to us, and we are ${role} to it`)
}

/** RFC 5492 §5: the data names the capability that we miss. */
function withoutFamily(families: readonly Family[]): Refusal {
  const wanted = encodeCapabilities({ ...NO_CAPABILITIES, families })
  return {
    notification: notification(OPEN_FAULT.code, OPEN_FAULT.missingCapability, wanted),
    says: `the peer speaks none of our families (${families.map(nameOfFamily).join(', ')})`,
  }
}

function bad(subcode: number, says: string): Refusal {
  return { notification: notification(OPEN_FAULT.code, subcode), says }
}
