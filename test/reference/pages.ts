/** Files that are made from the descriptions of the kinds: reference pages, JSON Schemas and CustomResourceDefinitions. */

import { crdOf, jsonSchemaOf, pageOf } from '@network/model/resources/describe.ts'
import type { Kind } from '@network/model/resources/kind.ts'
import { KINDS } from '@network/model/resources/kinds.ts'
import { stringify } from 'yaml'

export const FOLDERS = ['docs/reference', 'docs/reference/schemas', 'charts/cali/crds'] as const
/** Pages in the same folders that people write, and other tests keep true. */
export const BY_HAND: readonly string[] = ['docs/reference/metrics.md']

/** Text by path from the project's root. */
export function pages(): ReadonlyMap<string, string> {
  const made = KINDS.flatMap(kind => {
    const name = kind.kind.toLowerCase()
    return [
      [`docs/reference/${name}.md`, pageOf(kind)],
      [`docs/reference/schemas/${name}.json`, `${JSON.stringify(jsonSchemaOf(kind), undefined, 2)}\n`],
      [`charts/cali/crds/${name}.yaml`, stringify(crdOf(kind), { lineWidth: 0, aliasDuplicateObjects: false })],
    ] as const
  })
  return new Map<string, string>([['docs/reference/README.md', index(KINDS)], ...made])
}

function index(kinds: readonly Kind<unknown>[]): string {
  const rows = kinds.map(
    ({ kind, doc, namespaced, writtenBy, enforced }) =>
      `| [${kind}](${kind.toLowerCase()}.md) | ${doc} | ${namespaced ? 'namespace' : 'cluster'} | ${writtenBy === 'both' ? 'people and agents' : writtenBy} | ${enforced ? '' : 'not enforced yet'} |`,
  )
  return [
    '# Resources',
    '',
    'Made by `npm run docs` from the descriptions in `model/resources`; `schemas/` has the same as JSON Schema.',
    '',
    '| kind | what it is | in a | written by | |',
    '|---|---|---|---|---|',
    ...rows,
    '',
  ].join('\n')
}
