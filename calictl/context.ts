/** What a command works with; tests give their own. */

import type { Clock } from '@network/base/time/clock.ts'
import type { Datastore } from '@network/datastore/port.ts'
import { isRecord } from '@network/model/schema/field.ts'
import type { Agents } from './agents.ts'
import type { ExitCode } from './exit.ts'
import type { Format } from './render/format.ts'
import { json } from './render/json.ts'
import { yaml } from './render/yaml.ts'

export interface Context {
  /** Opened at the first call: commands that only ask agents work without it. Refused where there is none, unless told to make it. */
  readonly store: (where?: 'existing' | 'made') => Promise<Datastore>
  readonly agents: Agents
  readonly format: Format
  /** Of `-o jsonpath=` and `-o custom-columns=`. */
  readonly template: string
  /** Undefined where there is none. */
  readonly stdin: () => Promise<string | undefined>
  /** Data, a line or more at a time. */
  readonly out: (text: string) => void
  /** Messages. */
  readonly err: (text: string) => void
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Whoever read what is printed has gone: nothing more needs to be shown, though what was begun is finished. */
  readonly readerGone: AbortSignal
}

/** Runs a command's work with the context that the global options describe. */
export type Act = (work: (context: Context) => Promise<ExitCode>) => Promise<void>

/** One result in both of its forms. */
export interface Result {
  /** Stable; what `-o json` and `-o yaml` print. */
  readonly document: unknown
  /** What people read. */
  readonly text: string
  /** What they read with `-o wide`, where that is more. */
  readonly wide?: (() => string) | undefined
}

/** Whether people read what is printed, not programs. */
export function isForPeople({ format }: Pick<Context, 'format'>): boolean {
  return format === 'table' || format === 'wide'
}

export async function show({ format, template, out }: Context, result: Result): Promise<void> {
  switch (format) {
    case 'table':
      return out(result.text)
    case 'wide':
      return out(result.wide?.() ?? result.text)
    case 'json':
      return out(json(result.document))
    case 'yaml':
      return out(await yaml(result.document))
    case 'name':
      return printLines(out, itemsOf(result.document).map(nameOf).join('\n'))
    case 'jsonpath':
      return printLines(out, (await import('./render/jsonpath.ts')).fillTemplate(template, result.document))
    case 'custom-columns':
      return out((await import('./render/custom-columns.ts')).customTable(template, itemsOf(result.document)))
    default:
      return format satisfies never
  }
}

/** What is printed ends in one end of line, whether a template wrote it or not. */
function printLines(out: Context['out'], text: string): void {
  if (text !== '') out(text.replace(/\n$/, ''))
}

/** The entries of a list; any other document is its own only one. */
export function itemsOf(document: unknown): readonly unknown[] {
  return isRecord(document) && Array.isArray(document['items']) ? document['items'] : [document]
}

/** `ippool/default`, as other commands take it. */
function nameOf(document: unknown): string {
  if (!isRecord(document)) return ''
  const metadata = isRecord(document['metadata']) ? document['metadata'] : document
  const name = metadata['name'] ?? metadata['node'] ?? metadata['address'] ?? metadata['cidr']
  const kind = document['kind']
  return typeof kind === 'string' ? `${kind.toLowerCase()}/${name}` : `${name}`
}
