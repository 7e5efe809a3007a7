/** `calictl __complete`: answers a shell that waits for the Tab key, fast or not at all, and never aloud. */

import { sleep } from '@network/base/time/clock.ts'
import { millis } from '@network/base/time/units.ts'
import type { Command } from 'commander'
import { TABLE } from '../render/format.ts'
import { type GlobalOptions, openContext, type World } from '../world.ts'
import { type Completion, complete } from './complete.ts'
import { DIRECTORIES } from './scripts.ts'
import { lookupIn } from './values.ts'

/** Whoever waits longer for a list of names types the name. */
const PATIENCE = millis(1500)

/** Prints what may stand where the cursor is. Whatever goes wrong, there is nothing to offer: a message would land in the line being typed. */
export async function answerShell(program: Command, world: World, words: readonly string[]): Promise<void> {
  const over = new AbortController()
  const quiet: World = { ...world, err: () => undefined, signal: AbortSignal.any([world.signal, over.signal]) }
  const late = sleep(world.clock, PATIENCE, over.signal).then(() => NOTHING)
  try {
    print(world, await Promise.race([completion(program, quiet, words), late]))
  } catch {
    // Nothing to offer.
  } finally {
    over.abort()
    await late.catch(() => undefined)
  }
}

const NOTHING: Completion = { is: 'words', candidates: [] }

async function completion(program: Command, world: World, words: readonly string[]): Promise<Completion> {
  await using opened = await openContext(world, optionsIn(words))
  return await complete(program, words, lookupIn(opened.context, words.at(-1) ?? ''))
}

/** Where the line that is being typed says the store is. */
function optionsIn(words: readonly string[]): GlobalOptions {
  const given = (name: string) => {
    const at = words.lastIndexOf(name, -2)
    return at < 0 ? words.findLast(word => word.startsWith(`${name}=`))?.slice(name.length + 1) : words[at + 1]
  }
  const datastore = given('--datastore')
  const runDir = given('--run-dir')
  return {
    ...(datastore === undefined ? {} : { datastore }),
    ...(runDir === undefined ? {} : { runDir }),
    output: TABLE,
  }
}

function print({ out }: World, completion: Completion): void {
  if (completion.is === 'directories') out(DIRECTORIES)
  else for (const { word, about } of completion.candidates) out(about === undefined ? word : `${word}\t${about}`)
}
