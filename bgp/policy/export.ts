/** What becomes of a route on its way to a peer, after the rules of the protocol. RFC 7705, RFC 6996, RFC 8212, RFC 8326. */
import type { AnyPrefix } from '@network/base/net/any-prefix.ts'
import { mentions } from '../attributes/as-path.ts'
import { type AsPath, type AsSegment, type Attributes, GRACEFUL_SHUTDOWN } from '../attributes/attributes.ts'
import { evaluate, type PolicyPlace, type PolicyRoute, type PolicyVerdict } from './evaluate.ts'
import type { PolicyChain } from './policy.ts'

export interface ExportTerms {
  readonly peerAsn: number
  readonly kind: 'internal' | 'external'
  readonly asOverride: boolean
  readonly removePrivateAs: boolean
  /** The path passes a route server: our AS is not in front of it. */
  readonly transparent?: true
  /** Our real AS, to be shown behind the one that we pretend to be in; undefined: there is no pretence, or it is not shown. */
  readonly shownBehindLocalAs: number | undefined
  /** A path that the peer's AS is in is not told: it would drop it. RFC 4271 §9.1.2. */
  readonly skipLoops?: true
  /** The session is about to end: whoever has another way is to take it. RFC 8326 §4. */
  readonly draining?: true
  readonly chain: PolicyChain
  readonly place: PolicyPlace
}

/** True when every route goes out as the protocol made it. */
export function changesNothing(terms: ExportTerms): boolean {
  const { asOverride, removePrivateAs, shownBehindLocalAs, chain, draining, skipLoops } = terms
  return (
    draining !== true &&
    skipLoops !== true &&
    !asOverride &&
    !removePrivateAs &&
    shownBehindLocalAs === undefined &&
    chain.length === 0
  )
}

/** Equal for terms that treat every route alike. */
export function nameOfTerms(terms: ExportTerms): string {
  const { asOverride, peerAsn, place, ...rest } = terms
  const named = asOverride || rest.skipLoops === true ? peerAsn : undefined
  const big = (_key: string, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value)
  return JSON.stringify({ ...rest, asOverride, named, place }, big)
}

const LOOP: PolicyVerdict = { is: 'rejected', by: 'the AS of the peer in the path' }

/** Pure. `attributes` already have our AS in front where the peer is external. */
export function exported(
  prefix: AnyPrefix,
  attributes: Attributes,
  source: PolicyRoute['source'],
  terms: ExportTerms,
): PolicyVerdict {
  const asPath = rewritten(attributes.asPath, terms)
  if (terms.skipLoops === true && mentions(asPath, terms.peerAsn)) return LOOP
  const route = asPath === attributes.asPath ? attributes : { ...attributes, asPath }
  const verdict = evaluate(terms.chain, { prefix, attributes: route, source }, terms.place)
  if (terms.draining !== true || verdict.is === 'rejected') return verdict
  return { ...verdict, attributes: parting(verdict.attributes, terms.kind) }
}

/** The last resort of who hears it: by LOCAL_PREF inside, by the community outside. */
function parting(attributes: Attributes, kind: ExportTerms['kind']): Attributes {
  const { communities } = attributes
  const marked = communities.includes(GRACEFUL_SHUTDOWN) ? communities : [...communities, GRACEFUL_SHUTDOWN]
  return { ...attributes, communities: marked, ...(kind === 'internal' ? { localPref: 0 } : {}) }
}

/** The AS in front is ours and stays. */
function rewritten(path: AsPath, terms: ExportTerms): AsPath {
  const { kind, asOverride, removePrivateAs, shownBehindLocalAs, peerAsn, place } = terms
  const [first, ...others] = path
  const own = first?.asns[0]
  if (kind === 'internal' || terms.transparent === true || first?.kind !== 'sequence' || own === undefined) return path
  if (!asOverride && !removePrivateAs && shownBehindLocalAs === undefined) return path
  let behind: AsPath = [{ kind: 'sequence', asns: first.asns.slice(1) }, ...others]
  if (removePrivateAs) behind = behind.map(withoutPrivate)
  if (asOverride) behind = behind.map(segment => replaced(segment, peerAsn, place.localAsn))
  const shown = shownBehindLocalAs === undefined ? [own] : [own, shownBehindLocalAs]
  return joined(
    shown,
    behind.filter(({ asns }) => asns.length > 0),
  )
}

function joined(front: readonly number[], behind: AsPath): AsPath {
  const [first, ...others] = behind
  const fits = first?.kind === 'sequence' && front.length + first.asns.length <= 255
  if (fits) return [{ kind: 'sequence', asns: [...front, ...first.asns] }, ...others]
  return [{ kind: 'sequence', asns: front }, ...behind]
}

function withoutPrivate({ kind, asns }: AsSegment): AsSegment {
  return { kind, asns: asns.filter(asn => !isPrivate(asn)) }
}

/** RFC 6996 §5. */
function isPrivate(asn: number): boolean {
  return (asn >= 64512 && asn <= 65534) || (asn >= 4200000000 && asn <= 4294967294)
}

function replaced({ kind, asns }: AsSegment, from: number, to: number): AsSegment {
  return { kind, asns: asns.map(asn => (asn === from ? to : asn)) }
}
