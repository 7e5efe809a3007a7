/** Roles, and the mark that keeps routes from leaking: ONLY_TO_CUSTOMER. RFC 9234 §5. */
import type { Attributes } from './attributes.ts'

/** What we are to the peer. */
export type Role = 'provider' | 'rs' | 'rs-client' | 'customer' | 'peer'

const CODE = 35
/** Routes of these roles' neighbours must come marked: to them we are below or beside. */
const MARKED_FROM: ReadonlySet<Role> = new Set(['customer', 'peer', 'rs-client'])
/** What these tell is marked: it goes downwards or sideways, and from there only downwards. */
const MARKS: ReadonlySet<Role> = new Set(['provider', 'peer', 'rs'])

/** Who said that the route goes to customers only; undefined: nobody. */
export function otcOf({ opaque }: Attributes): number | undefined {
  const body = opaque.find(({ code }) => code === CODE)?.body
  return body?.length === 4 ? new DataView(body.buffer, body.byteOffset).getUint32(0) : undefined
}

/** RFC 9234 §5, ingress: a customer passes on what it should not, or a peer what it has from somewhere else. */
export function isLeak(attributes: Attributes, role: Role, remoteAsn: number): boolean {
  const otc = otcOf(attributes)
  if (otc === undefined) return false
  return role === 'provider' || role === 'rs' || (role === 'peer' && otc !== remoteAsn)
}

/** RFC 9234 §5, ingress: what comes from above or beside goes to customers only, said or not. */
export function markedHeard(attributes: Attributes, role: Role, remoteAsn: number): Attributes {
  return MARKED_FROM.has(role) ? marked(attributes, remoteAsn) : attributes
}

/** RFC 9234 §5, egress: as the peer is told of it; undefined: it would be a leak. */
export function markedTold(attributes: Attributes, role: Role, localAsn: number): Attributes | undefined {
  if (MARKED_FROM.has(role) && otcOf(attributes) !== undefined) return undefined
  return MARKS.has(role) ? marked(attributes, localAsn) : attributes
}

/** Once there, it is never changed. */
function marked(attributes: Attributes, asn: number): Attributes {
  if (otcOf(attributes) !== undefined) return attributes
  const body = new Uint8Array(4)
  new DataView(body.buffer).setUint32(0, asn)
  const opaque = [...attributes.opaque, { code: CODE, body, partial: false }].toSorted((a, b) => a.code - b.code)
  return { ...attributes, opaque }
}
