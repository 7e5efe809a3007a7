/** What a command works with; tests give their own. */

import type { Clock } from '@network/base/time/clock.ts'
import type { Datastore } from '@network/datastore/port.ts'
import type { Agents } from './agents.ts'
import type { ExitCode } from './exit.ts'
import { json } from './render/json.ts'
import { yaml } from './render/yaml.ts'

export const FORMATS = ['table', 'wide', 'json', 'yaml'] as const
export type Format = (typeof FORMATS)[number]

export interface Context {
  /** Opened at the first call: commands that only ask agents work without it. Refused where there is none, unless told to make it. */
  readonly store: (where?: 'existing' | 'made') => Promise<Datastore>
  readonly agents: Agents
  readonly format: Format
  /** Data, a line or more at a time. */
  readonly out: (text: string) => void
  /** Messages. */
  readonly err: (text: string) => void
  readonly clock: Clock
  readonly signal: AbortSignal
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

export async function show({ format, out }: Context, result: Result): Promise<void> {
  switch (format) {
    case 'table':
      return out(result.text)
    case 'wide':
      return out(result.wide?.() ?? result.text)
    case 'json':
      return out(json(result.document))
    case 'yaml':
      return out(await yaml(result.document))
    default:
      return format satisfies never
  }
}
