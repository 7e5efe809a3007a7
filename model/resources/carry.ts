/** What a write must keep of the document before it: what the writer does not know. */

import { isRecord, type Members } from '../schema/field.ts'
import type { Document, Kind } from './kind.ts'

/**
 * `next` with what only `former` has: labels and annotations, what the datastore added to metadata, status, and fields that a newer version
 * wrote. A known field that `next` leaves out is gone.
 */
export function carryOver(kind: Kind<unknown>, former: unknown, next: Document): Document {
  if (!isRecord(former)) return next
  const before = isRecord(former['metadata']) ? former['metadata'] : {}
  const status = next.status ?? former['status']
  return {
    ...next,
    metadata: {
      ...before,
      ...next.metadata,
      ...joined('labels', before, next.metadata.labels),
      ...joined('annotations', before, next.metadata.annotations),
    },
    spec: withUnknown(kind.spec.members, kind.spec.lacking, former['spec'], next.spec),
    ...(isRecord(status) ? { status } : {}),
  }
}

function joined(name: 'labels' | 'annotations', before: Readonly<Record<string, unknown>>, now: Document['metadata']['labels']) {
  const former = before[name]
  if (!isRecord(former)) return {}
  const texts = Object.entries(former).filter((one): one is [string, string] => typeof one[1] === 'string')
  return { [name]: { ...Object.fromEntries(texts), ...now } }
}

type Fields = Readonly<Record<string, unknown>>

function withUnknown(members: Members, lacking: Fields, former: unknown, next: Fields): Fields {
  if (!isRecord(former)) return next
  const result: Record<string, unknown> = { ...next }
  for (const [name, value] of Object.entries(former)) {
    const member = Object.hasOwn(members, name) ? members[name] : undefined
    const written = next[name]
    if (member === undefined) {
      if (!Object.hasOwn(lacking, name)) result[name] = value
    } else if (member.members !== undefined && isRecord(written)) result[name] = withUnknown(member.members, {}, value, written)
  }
  return result
}
