/** What every resource says of itself besides its kind: its name, its labels, and what the datastore adds. */

import { map, type ObjectField, object } from '../schema/compound.ts'
import { type Field, optional } from '../schema/field.ts'
import { NAME, name, text, whole } from '../schema/plain.ts'
import type { Labels } from '../selector/selector.ts'

export interface Metadata {
  readonly name: string
  readonly namespace: string | undefined
  readonly labels: Labels | undefined
  readonly annotations: Labels | undefined
  readonly resourceVersion: string | undefined
  readonly uid: string | undefined
  /** RFC 3339. */
  readonly creationTimestamp: string | undefined
  readonly generation: number | undefined
}

const PART = /^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/
const VALUE = /^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$/
const LONGEST_DOMAIN = 253

/** What is wrong with the name of a label or an annotation; undefined when nothing is. */
function refuseKey(key: string): string | undefined {
  const [last = '', domain, ...more] = key.split('/').reverse()
  const good =
    more.length === 0 && PART.test(last) && (domain === undefined || (domain.length <= LONGEST_DOMAIN && NAME.test(domain)))
  return good
    ? undefined
    : 'has a wrong name: write up to 63 letters, digits, "-", "_" and ".", after a domain and "/" if you like'
}

const labelValue = text('What the label says.', {
  min: 0,
  max: 63,
  pattern: VALUE,
  says: 'must consist of letters, digits, "-", "_" and ".", and begin and end with a letter or digit',
})

const shared = {
  labels: optional(map('For selectors.', labelValue, { refuseName: refuseKey })),
  annotations: optional(
    map('For people and tools; Cali leaves them as they are.', text('Any text.', { min: 0 }), { refuseName: refuseKey }),
  ),
  resourceVersion: optional(text('Changes with every write; a write that names another is refused.')),
  uid: optional(text('Tells this resource from another of the same name, before or after it.')),
  creationTimestamp: optional(text('When the resource was created (RFC 3339).')),
  generation: optional(whole('Counts the changes of spec.', { min: 0, max: Number.MAX_SAFE_INTEGER })),
}

/** Kubernetes writes these; they mean nothing here. */
const OF_KUBERNETES = {
  managedFields: [],
  finalizers: [],
  ownerReferences: [],
  selfLink: [],
  generateName: [],
  deletionTimestamp: [],
  deletionGracePeriodSeconds: [],
}

const DOC = 'Name and labels.'

export const clusterMetadata: ObjectField<Metadata> = object(
  DOC,
  { name: name('Unique among the resources of its kind.'), namespace: absentNamespace(), ...shared },
  { lacking: OF_KUBERNETES },
)

export const namespacedMetadata: ObjectField<Metadata> = object(
  DOC,
  {
    name: name('Unique among the resources of its kind in the namespace.'),
    namespace: optional(name('The namespace that the resource is in.', 63)),
    ...shared,
  },
  { lacking: OF_KUBERNETES },
)

/** A kind without namespaces takes none. */
function absentNamespace(): Field<string | undefined> {
  const field = optional(name('Left out: resources of this kind are in no namespace.', 63))
  return {
    ...field,
    read(_, at, told) {
      told.warning(at, `is ignored: ${told.kind} resources are in no namespace`)
      return undefined
    },
  }
}
