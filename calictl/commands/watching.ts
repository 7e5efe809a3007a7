/** `--watch` of commands that ask agents: they are asked again and again, and what changed is shown. */

import { sleep } from '@network/base/time/clock.ts'
import { millis } from '@network/base/time/units.ts'
import type { Context } from '../context.ts'
import { EXIT, type ExitCode } from '../exit.ts'

export interface WatchOptions {
  readonly watch?: true
}

const PAUSE = millis(2000)

/** Runs `look` once; with `--watch` until nobody reads any more, and prints it whenever it is not as before, after an empty line. */
export async function watched(
  context: Context,
  { watch }: WatchOptions,
  look: (context: Context) => Promise<ExitCode>,
): Promise<ExitCode> {
  if (watch !== true) return look(context)
  const signal = AbortSignal.any([context.signal, context.readerGone])
  let before: string | undefined
  while (!signal.aborted) {
    const lines: string[] = []
    const notes: string[] = []
    await look({ ...context, out: text => void lines.push(text), err: text => void notes.push(text) })
    const now = [...notes, ...lines].join('\n')
    if (now !== before) {
      for (const note of notes) context.err(note)
      if (lines.length > 0) context.out(`${before === undefined ? '' : '\n'}${lines.join('\n')}`)
    }
    before = now
    await sleep(context.clock, PAUSE, signal).catch(() => undefined)
  }
  return EXIT.ok
}
