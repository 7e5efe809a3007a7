/** The fields that settings of the agent share with resources, in the form that its configuration is read by. */

import type { Ipv4 } from '@network/base/net/ipv4.ts'
import * as v from 'valibot'
import { type Field, findings, UNREAD } from '../schema/field.ts'
import { address4, asn, unicastMac } from '../schema/network.ts'
import { name } from '../schema/plain.ts'

/** RFC 1123 subdomain, what Kubernetes takes as a name. */
export const nameField = textSchema<string>(name('A name.'))
export const addressField = textSchema<Ipv4>(address4('An address.'))
export const unicastMacField = textSchema<string>(unicastMac('An Ethernet address.'))
/** A four-octet AS number (RFC 6793); 0 is reserved (RFC 7607). */
export const asnField = v.pipe(v.number('must be a number'), readBy<number, number>(asn('An AS number.')))

function textSchema<T>(field: Field<T>) {
  return v.pipe(v.string('must be text'), readBy<string, T>(field))
}

function readBy<I, T>(field: Field<T>) {
  return v.rawTransform<I, T>(({ dataset, addIssue, NEVER }) => {
    const { told, problems } = findings('setting', 'refuse')
    const value = field.read(dataset.value, undefined, told)
    if (value !== UNREAD) return value
    for (const { says } of problems) addIssue({ message: says })
    return NEVER
  })
}
