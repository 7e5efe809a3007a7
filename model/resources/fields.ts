/** Schemas of the fields that several kinds share: text at the door, typed values inside. */

import { type Ipv4, parseIpv4 } from '@network/base/net/ipv4.ts'
import { type Prefix, parseInterfaceAddress, parsePrefix } from '@network/base/net/prefix.ts'
import * as v from 'valibot'

/** RFC 1123 subdomain, what Kubernetes takes as a name. */
export const nameField = v.pipe(
  v.string('must be text'),
  v.maxLength(253, 'is longer than 253 characters'),
  v.regex(
    /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/,
    'must consist of lower-case letters, digits, "-" and ".", and begin and end with a letter or digit',
  ),
)

export const addressField = v.pipe(
  v.string('must be text'),
  v.rawTransform<string, Ipv4>(({ dataset, addIssue, NEVER }) => {
    const parsed = parseIpv4(dataset.value)
    if (parsed !== undefined) return parsed
    addIssue({ message: `"${dataset.value}" is not an IPv4 address such as 172.16.20.11` })
    return NEVER
  }),
)

export const prefixField = v.pipe(
  v.string('must be text'),
  v.rawTransform<string, Prefix>(({ dataset, addIssue, NEVER }) => {
    const parsed = parsePrefix(dataset.value)
    if (parsed.ok) return parsed.value
    addIssue({ message: parsed.says })
    return NEVER
  }),
)

/** An address with the length of its subnet: `172.16.20.11/24`. */
export const interfaceAddressField = v.pipe(
  v.string('must be text'),
  v.rawTransform<string, { address: Ipv4; length: number }>(({ dataset, addIssue, NEVER }) => {
    const parsed = parseInterfaceAddress(dataset.value)
    if (parsed !== undefined) return parsed
    addIssue({ message: `"${dataset.value}" is not an address with its subnet's length, such as 172.16.20.11/24` })
    return NEVER
  }),
)

/** The Ethernet address of one interface, in lower case: neither zero nor a group's. */
export const unicastMacField = v.pipe(
  v.string('must be text'),
  v.regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i, 'must be an Ethernet address such as 66:3f:0a:91:c2:07'),
  v.toLowerCase(),
  v.check(text => (Number.parseInt(text.slice(0, 2), 16) & 1) === 0, 'must be the address of one interface, not of a group'),
  v.check(text => text !== '00:00:00:00:00:00', 'must not be zero'),
)

/** A four-octet AS number (RFC 6793); 0 is reserved (RFC 7607). */
export const asnField = v.pipe(
  v.number('must be a number'),
  v.integer('must be a whole number'),
  v.minValue(1, 'must be 1 to 4294967295'),
  v.maxValue(4294967295, 'must be 1 to 4294967295'),
)

/** The envelope of a document of one kind: `spec` is the kind's own. */
export function documentOf<S extends v.GenericSchema>(kind: string, spec: S) {
  return v.strictObject(
    {
      apiVersion: v.literal('projectcalico.org/v3', 'must be projectcalico.org/v3'),
      kind: v.literal(kind, `must be ${kind}`),
      metadata: v.looseObject({ name: nameField }, 'must be an object with a name'),
      spec,
    },
    `must be a ${kind} document with apiVersion, kind, metadata and spec`,
  )
}
