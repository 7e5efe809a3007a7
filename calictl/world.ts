/** The surroundings of a run, and the context that its options make of them. */

import { reasonOf } from '@network/base/run/fault.ts'
import type { Clock } from '@network/base/time/clock.ts'
import type { Datastore } from '@network/datastore/port.ts'
import { CONFIG_FILE, DEFAULT_DATASTORE, datastoreAt } from '@network/datastore/where.ts'
import { isRecord } from '@network/model/schema/field.ts'
import type { Agents } from './agents.ts'
import { type Context, isForPeople } from './context.ts'
import { failure } from './exit.ts'
import type { Output } from './render/format.ts'

/** What a run needs of its surroundings; tests give their own. */
export interface World {
  /** Prints one or more whole lines; the end of the last is added. */
  readonly out: (text: string) => void
  readonly err: (text: string) => void
  readonly env: Readonly<Record<string, string | undefined>>
  /** Undefined when there is no such file; `-` is standard input. */
  readonly readText: (path: string) => Promise<string | undefined>
  readonly openStore: (url: string, how: { readonly mustExist: boolean }) => Promise<Datastore>
  readonly agentsIn: (runDir: string) => Agents
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Aborts when nobody reads standard output any more. */
  readonly readerGone?: AbortSignal
  /** Which of the two a person sees who wants colours. */
  readonly colours?: { readonly out: boolean; readonly err: boolean }
}

const NEVER = new AbortController().signal

export const DEFAULT_RUN_DIR = '/run/cali'

export interface GlobalOptions {
  readonly datastore?: string
  readonly runDir?: string
  readonly output: Output
}

export interface OpenContext extends AsyncDisposable {
  readonly context: Context
}

/** Resolves what the options leave open; the store is opened when first used, and closed with the context. */
export async function openContext(world: World, options: GlobalOptions): Promise<OpenContext> {
  const { err, clock, signal } = world
  const out = await paintedOut(world, options)
  const config = needsFile(world, options) ? await readConfig(world) : undefined
  const fileRunDir = isRecord(config) && typeof config.runDir === 'string' ? config.runDir : undefined
  let opened: Promise<Datastore> | undefined
  const store: Context['store'] = async (where = 'existing') => {
    const url = storeUrl(world, options, config)
    opened ??= world.openStore(url, { mustExist: where === 'existing' })
    return opened
  }
  const agents = world.agentsIn(options.runDir ?? fileRunDir ?? DEFAULT_RUN_DIR)
  return {
    context: {
      store,
      agents,
      ...options.output,
      stdin: () => world.readText('-'),
      out,
      err,
      clock,
      signal,
      readerGone: world.readerGone ?? NEVER,
    },
    async [Symbol.asyncDispose]() {
      // A store that did not open has nothing to close, and its failure was the command's.
      const open = await opened?.catch(() => undefined)
      await open?.[Symbol.asyncDispose]()
    },
  }
}

/** Data is never painted. */
async function paintedOut({ out, colours }: World, { output }: GlobalOptions): Promise<World['out']> {
  if (colours?.out !== true || !isForPeople(output)) return out
  const painter = new (await import('./render/colour.ts')).Painter()
  return text => out(painter.paint(text))
}

function needsFile({ env }: World, { datastore, runDir }: GlobalOptions): boolean {
  return runDir === undefined || (datastore === undefined && (env.CALI_DATASTORE ?? '') === '')
}

async function readConfig({ readText }: World): Promise<unknown> {
  const text = await readText(CONFIG_FILE)
  if (text === undefined) return undefined
  const { parse } = await import('yaml')
  try {
    return parse(text)
  } catch (reason) {
    const says = reasonOf(reason).split('\n')[0] ?? ''
    throw failure('usage', { doing: 'read', on: CONFIG_FILE, says, mend: 'mend the file, or give --datastore and --run-dir' })
  }
}

function storeUrl(world: World, options: GlobalOptions, config: unknown): string {
  const where = datastoreAt({ flag: options.datastore, env: world.env.CALI_DATASTORE, config })
  if (where.is === 'known') return where.url
  throw failure('usage', {
    doing: 'find',
    on: 'the datastore',
    says: `${where.from}: ${where.says}`,
    mend: `write for example --datastore ${DEFAULT_DATASTORE}`,
  })
}
