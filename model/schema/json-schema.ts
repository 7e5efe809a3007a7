/** The JSON Schema of a field, in two dialects: for editors, and the structural one of Kubernetes. */

import type { ObjectField } from './compound.ts'
import type { Field, JsonSchema } from './field.ts'

/** `kubernetes`: unknown fields are not told by the schema, and rules between members come as expressions. */
export type Dialect = 'plain' | 'kubernetes'

export function schemaOf(field: Field<unknown>, dialect: Dialect): JsonSchema {
  const { json, doc, standard } = field
  const said = { description: doc, ...json, ...(standard === undefined ? {} : { default: standard }) }
  const stays = field.immutable && dialect === 'kubernetes' ? { 'x-kubernetes-validations': [STAYS] } : {}
  if (isObject(field)) return { ...said, ...objectSchema(field, dialect), ...stays }
  if (field.items === undefined) return { ...(dialect === 'plain' ? withoutExtensions(said) : said), ...stays }
  const items = schemaOf(field.items, dialect)
  return field.type.startsWith('list')
    ? { ...said, type: 'array', items, ...stays }
    : { ...said, type: 'object', additionalProperties: items, ...stays }
}

const STAYS = { rule: 'self == oldSelf', message: 'cannot be changed: delete the resource and create another' }

function isObject(field: Field<unknown>): field is ObjectField<unknown> {
  return field.members !== undefined && 'rules' in field
}

function objectSchema({ members, rules }: ObjectField<unknown>, dialect: Dialect): JsonSchema {
  const entries = Object.entries(members)
  const required = entries.filter(([, { required: must }]) => must).map(([name]) => name)
  const expressions = rules.flatMap(({ cel, at, says }) =>
    cel === undefined ? [] : [{ rule: cel, message: at === '' ? says : `${at} ${says}` }],
  )
  return {
    type: 'object',
    properties: Object.fromEntries(entries.map(([name, field]) => [name, schemaOf(field, dialect)])),
    ...(required.length === 0 ? {} : { required }),
    ...(dialect === 'plain' ? { additionalProperties: false } : {}),
    ...(dialect === 'kubernetes' && expressions.length > 0 ? { 'x-kubernetes-validations': expressions } : {}),
  }
}

/** What Kubernetes says by an extension, everybody else says by two types. */
function withoutExtensions(schema: JsonSchema): JsonSchema {
  const { 'x-kubernetes-int-or-string': either, ...rest } = schema
  return either === true ? { ...rest, type: ['integer', 'string'] } : rest
}
