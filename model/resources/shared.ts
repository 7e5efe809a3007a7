/** Fields that several kinds have, and rules for the names of those that configure. */

import { object } from '../schema/compound.ts'
import type { Field, Problem } from '../schema/field.ts'
import { choice, name, text } from '../schema/plain.ts'
import type { Metadata } from './metadata.ts'

const LOG_LEVELS = ['Debug', 'Info', 'Warning', 'Error', 'Fatal'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

export function logLevel(doc: string): Field<LogLevel> {
  return choice(doc, LOG_LEVELS, {
    former: { Warn: 'Warning', warn: 'Warning', WARN: 'Warning' },
  })
}

/** A key of a secret: `name` and `key`. */
export function secretKey(doc: string) {
  return object(doc, {
    secretKeyRef: object('Where the secret is.', {
      name: name('The secret.'),
      key: text('The key in it.', { max: 253 }),
    }),
  })
}

/** A kind of which there is one for the cluster, `default`, and one for each node that differs, `node.<name>`. */
export function refuseConfigurationName({ metadata }: { readonly metadata: Metadata }): Problem | undefined {
  if (metadata.name === 'default' || /^node\..+$/.test(metadata.name)) return undefined
  return {
    at: 'metadata.name',
    says: `must be "default" for the cluster or "node." and the name of a node, not "${metadata.name}"`,
  }
}

/** A kind of which there is one. */
export function refuseOtherThanDefault({ metadata }: { readonly metadata: Metadata }): Problem | undefined {
  if (metadata.name === 'default') return undefined
  return { at: 'metadata.name', says: `must be "default", for there is one for the cluster, not "${metadata.name}"` }
}
