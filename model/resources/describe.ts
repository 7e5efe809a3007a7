/** What a kind looks like to others: its explanation, its JSON Schema, its CustomResourceDefinition, its reference page. */

import { type Explained, explain, explainedAt } from '../schema/explain.ts'
import type { JsonSchema } from '../schema/field.ts'
import { schemaOf } from '../schema/json-schema.ts'
import { API_VERSION, type Kind } from './kind.ts'

const [GROUP = '', VERSION = ''] = API_VERSION.split('/')

/** The kind itself, with metadata, spec and status below it. */
export function explainKind(kind: Kind<unknown>): Explained {
  const parts = [explain(kind.metadata, 'metadata'), explain(kind.spec, 'spec')]
  const fields = kind.status === undefined ? parts : [...parts, explain(kind.status, 'status')]
  const doc = [kind.doc, ...noteOf(kind)].join(' ')
  return {
    path: '',
    type: kind.kind,
    doc,
    required: true,
    default: undefined,
    bounds: '',
    unit: '',
    immutable: false,
    rules: [],
    fields,
  }
}

/** What is at a path such as `spec.cidr`, or at `cidr`, which is found below spec; undefined where there is no such field. */
export function explainPath(kind: Kind<unknown>, path: string): Explained | undefined {
  const root = explainKind(kind)
  return explainedAt(root, path) ?? explainedAt(root, `spec.${path}`)
}

export const NOT_ENFORCED = 'Resources of this kind are stored and validated; nothing enforces them yet.'

/** Sentences that are to be said with the kind: not enforced, written by agents. */
function noteOf({ enforced, writtenBy }: Pick<Kind<unknown>, 'enforced' | 'writtenBy'>): readonly string[] {
  return [
    ...(enforced ? [] : [NOT_ENFORCED]),
    ...(writtenBy === 'agents' ? ['Agents write it; look at it, and leave it as it is.'] : []),
  ]
}

/** For editors and other tools; the document whole. */
export function jsonSchemaOf(kind: Kind<unknown>): JsonSchema {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: kind.kind,
    description: kind.doc,
    type: 'object',
    properties: {
      apiVersion: { const: API_VERSION },
      kind: { enum: [kind.kind, ...kind.formerKinds] },
      metadata: schemaOf(kind.metadata, 'plain'),
      spec: schemaOf(kind.spec, 'plain'),
      ...(kind.status === undefined ? {} : { status: schemaOf(kind.status, 'plain') }),
    },
    required: ['apiVersion', 'kind', 'metadata', ...(needsSpec(kind) ? ['spec'] : [])],
    additionalProperties: false,
  }
}

function needsSpec({ spec }: Kind<unknown>): boolean {
  return Object.values(spec.members).some(({ required }) => required)
}

/** The CustomResourceDefinition of a kind (apiextensions.k8s.io/v1). */
export function crdOf(kind: Kind<unknown>): JsonSchema {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${kind.plural}.${GROUP}` },
    spec: {
      group: GROUP,
      names: {
        kind: kind.kind,
        listKind: `${kind.kind}List`,
        plural: kind.plural,
        singular: kind.kind.toLowerCase(),
        ...(kind.shortNames.length === 0 ? {} : { shortNames: kind.shortNames }),
      },
      scope: kind.namespaced ? 'Namespaced' : 'Cluster',
      versions: [versionOf(kind)],
    },
  }
}

function versionOf(kind: Kind<unknown>): JsonSchema {
  const columns = kind.columns
    .filter(({ count }) => count !== true)
    .map(({ title, path, wide }) => ({
      name: title,
      type: 'string',
      jsonPath: `.${path}`,
      ...(wide === true ? { priority: 1 } : {}),
    }))
  return {
    name: VERSION,
    served: true,
    storage: true,
    schema: {
      openAPIV3Schema: {
        description: kind.doc,
        type: 'object',
        properties: {
          apiVersion: { type: 'string' },
          kind: { type: 'string' },
          metadata: { type: 'object' },
          spec: schemaOf(kind.spec, 'kubernetes'),
          ...(kind.status === undefined ? {} : { status: schemaOf(kind.status, 'kubernetes') }),
        },
        ...(needsSpec(kind) ? { required: ['spec'] } : {}),
      },
    },
    ...(kind.status === undefined ? {} : { subresources: { status: {} } }),
    ...(columns.length === 0 ? {} : { additionalPrinterColumns: columns }),
  }
}

/** The reference page of a kind, in Markdown. */
export function pageOf(kind: Kind<unknown>): string {
  const names = [kind.plural, ...kind.shortNames].map(code).join(', ')
  const former =
    kind.formerKinds.length === 0
      ? []
      : [`Documents of kind ${kind.formerKinds.map(code).join(', ')} are read as ${code(kind.kind)}.`, '']
  const parts = explainKind(kind).fields.filter(({ path }) => path !== 'metadata')
  return [
    `# ${kind.kind}`,
    '',
    kind.doc,
    '',
    ...noteOf(kind).flatMap(note => [`> ${note}`, '']),
    ...former,
    `In commands: ${names}. ${kind.namespaced ? 'In a namespace.' : 'For the whole cluster.'}`,
    '',
    '| field | what is written | default | meaning |',
    '|---|---|---|---|',
    ...parts.flatMap(below).map(row),
    '',
    ...rulesBelow(parts),
  ]
    .join('\n')
    .trimEnd()
    .concat('\n')
}

function below(one: Explained): readonly Explained[] {
  return one.fields.flatMap(field => [field, ...below(field)])
}

function row({ path, type, bounds, unit, required, default: standard, immutable, doc }: Explained): string {
  const limits = [bounds, unit].filter(one => one !== '').join(' ')
  const written = limits === '' ? type : type === 'choice' ? limits : `${type}, ${limits}`
  const fallback = standard === undefined ? (required ? '**required**' : '') : code(standard)
  return `| ${[code(path), written, fallback, immutable ? `${doc} Cannot be changed.` : doc].map(cell).join(' | ')} |`
}

function rulesBelow(parts: readonly Explained[]): readonly string[] {
  const rules = [...parts, ...parts.flatMap(below)].flatMap(({ path, rules: all }) => all.map(says => `- ${code(path)}: ${says}`))
  return rules.length === 0 ? [] : ['Besides:', '', ...rules]
}

function code(text: string): string {
  return `\`${text}\``
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}
