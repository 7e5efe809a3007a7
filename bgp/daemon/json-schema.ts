/** The JSON schema of what a valibot schema takes, so that editors can help. */
import * as v from 'valibot'

type Json = { readonly [key: string]: unknown }

export function jsonSchemaOf(schema: v.GenericSchema, title: string): Json {
  return { $schema: 'https://json-schema.org/draft/2020-12/schema', title, ...describe(schema) }
}

function describe(schema: unknown): Json {
  if (!isSchema(schema)) throw new TypeError('not a schema')
  const { jsonSchema, shorthand } = metadataOf(schema)
  if (isJson(jsonSchema)) return jsonSchema
  if (typeof shorthand === 'string') return withShorthand(schema, shorthand)
  switch (schema.type) {
    case 'optional':
      return withDefault(describe(part(schema, 'wrapped')), part(schema, 'default'))
    case 'strict_object':
      return describeObject(part(schema, 'entries'))
    case 'array':
      return { type: 'array', items: describe(part(schema, 'item')) }
    case 'record':
      return { type: 'object', additionalProperties: describe(part(schema, 'value')) }
    case 'picklist':
      return { enum: part(schema, 'options') }
    case 'union':
      return { anyOf: partList(schema, 'options').map(describe) }
    default:
      throw new TypeError(`no JSON schema for ${schema.type}`)
  }
}

function describeObject(entries: unknown): Json {
  if (!isJson(entries)) throw new TypeError('an object without entries')
  const properties = Object.fromEntries(Object.entries(entries).map(([name, entry]) => [name, describe(entry)]))
  const required = Object.entries(entries).flatMap(([name, entry]) =>
    isSchema(entry) && entry.type === 'optional' ? [] : [name],
  )
  return { type: 'object', properties, ...(required.length === 0 ? {} : { required }), additionalProperties: false }
}

/** The mapping, or the text of its most important field alone. */
function withShorthand(schema: v.GenericSchema, field: string): Json {
  const mapping = partList(schema, 'pipe').find(item => isSchema(item) && item.type === 'strict_object')
  const described = describe(mapping)
  const { properties } = described
  return { anyOf: [isJson(properties) ? properties[field] : {}, described] }
}

function withDefault(described: Json, value: unknown): Json {
  const isSaid = value !== undefined && !(typeof value === 'object' && value !== null && Object.keys(value).length === 0)
  return isSaid ? { ...described, default: value } : described
}

function metadataOf(schema: v.GenericSchema): Json {
  const found: unknown = v.getMetadata(schema)
  return isJson(found) ? found : {}
}

function part(schema: v.GenericSchema, name: string): unknown {
  return Reflect.get(schema, name)
}

function partList(schema: v.GenericSchema, name: string): readonly unknown[] {
  const list = part(schema, name)
  return Array.isArray(list) ? list : []
}

function isSchema(value: unknown): value is v.GenericSchema {
  return isJson(value) && value['kind'] === 'schema' && typeof value['type'] === 'string'
}

function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null
}
