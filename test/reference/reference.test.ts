/** What is made from the descriptions of the kinds is as they are now, and Kubernetes would take its part. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { crdOf, explainKind, explainPath } from '@network/model/resources/describe.ts'
import { isRecord } from '@network/model/resources/kind.ts'
import { KINDS, kindNamed } from '@network/model/resources/kinds.ts'
import type { Explained } from '@network/model/schema/explain.ts'
import { BY_HAND, FOLDERS, pages } from './pages.ts'

const ROOT = join(import.meta.dirname, '../..')

test('reference pages, schemas and CRDs are those of the kinds as they are: "npm run docs" writes them', () => {
  const wanted: ReadonlyMap<string, string> = pages()
  const found = new Map<string, string>(
    FOLDERS.flatMap(folder =>
      readdirSync(join(ROOT, folder), { withFileTypes: true })
        .filter(entry => entry.isFile())
        .map(entry => [`${folder}/${entry.name}`, readFileSync(join(ROOT, folder, entry.name), 'utf8')] as const),
    ),
  )
  assert.deepEqual([...found.keys()].sort(), [...wanted.keys(), ...BY_HAND].sort())
  const stale = [...wanted].filter(([path, text]) => found.get(path) !== text).map(([path]) => path)
  assert.deepEqual(stale, [])
})

/** What apiextensions.k8s.io/v1 takes in a structural schema, as far as ours use it. */
const KEYWORDS = new Set(
  'type format description default properties items additionalProperties required enum minimum maximum minLength maxLength pattern minItems maxItems x-kubernetes-int-or-string x-kubernetes-validations'.split(
    ' ',
  ),
)

/** Every way in which a schema is not structural, each with its place. */
function unstructural(schema: unknown, at: string): readonly string[] {
  if (!isRecord(schema)) return [`${at} is no schema`]
  const unknown = Object.keys(schema).filter(key => !KEYWORDS.has(key))
  const type = schema['type']
  const typed = typeof type === 'string' || schema['x-kubernetes-int-or-string'] === true
  const { properties, items, additionalProperties } = schema
  return [
    ...unknown.map(key => `${at} has ${key}`),
    ...(typed ? [] : [`${at} has no type`]),
    ...(properties !== undefined && additionalProperties !== undefined ? [`${at} has properties and additionalProperties`] : []),
    ...(type === 'array' && items === undefined ? [`${at} is a list of nothing`] : []),
    ...(type !== 'object' && properties !== undefined ? [`${at} has properties and is ${String(type)}`] : []),
    ...missingRequired(schema, at),
    ...(isRecord(properties) ? Object.entries(properties).flatMap(([name, one]) => unstructural(one, `${at}.${name}`)) : []),
    ...(items === undefined ? [] : unstructural(items, `${at}[]`)),
    ...(additionalProperties === undefined ? [] : unstructural(additionalProperties, `${at}.*`)),
  ]
}

function missingRequired({ required = [], properties = {} }: Readonly<Record<string, unknown>>, at: string): readonly string[] {
  if (!Array.isArray(required) || !isRecord(properties)) return [`${at} has a wrong list of what is required`]
  return required
    .filter(name => !Object.hasOwn(properties, String(name)))
    .map(name => `${at} requires ${String(name)}, which is not there`)
}

test('a schema that is not structural is found', () => {
  assert.deepEqual(
    unstructural({ type: 'object', properties: { a: { oneOf: [] } }, additionalProperties: false, required: ['b'] }, ''),
    [
      ' has properties and additionalProperties',
      ' requires b, which is not there',
      '.a has oneOf',
      '.a has no type',
      '.* is no schema',
    ],
  )
})

for (const kind of KINDS) {
  test(`the CRD of ${kind.kind} has a structural schema and right names`, () => {
    const crd: unknown = JSON.parse(JSON.stringify(crdOf(kind)))
    const spec = isRecord(crd) ? crd['spec'] : undefined
    assert.ok(isRecord(spec) && Array.isArray(spec['versions']) && isRecord(spec['names']))
    const [version] = spec['versions']
    assert.deepEqual(unstructural(version.schema.openAPIV3Schema, ''), [])
    for (const name of [kind.plural, kind.kind.toLowerCase(), ...kind.shortNames]) assert.match(name, /^[a-z][a-z0-9]{0,62}$/)
  })

  test(`every field of ${kind.kind} is explained in a sentence and found by its path`, () => {
    const all = (one: Explained): readonly Explained[] => [one, ...one.fields.flatMap(all)]
    for (const one of all(explainKind(kind)).slice(1)) {
      assert.match(one.doc, /^[A-Z0-9].*\.$/, one.path)
      assert.equal(explainPath(kind, one.path)?.path, one.path)
    }
  })
}

test('no name means two kinds', () => {
  const names = KINDS.flatMap(kind =>
    [kind.kind, kind.plural, ...kind.shortNames, ...kind.formerKinds].map(name => [name, kind] as const),
  )
  for (const [name, kind] of names) assert.equal(kindNamed(name)?.kind, kind.kind, name)
})

test('a field is found without "spec", too', () => {
  const pool = kindNamed('pool')
  assert.ok(pool !== undefined)
  assert.equal(explainPath(pool, 'cidr')?.path, 'spec.cidr')
  assert.equal(explainPath(pool, 'colour'), undefined)
})
