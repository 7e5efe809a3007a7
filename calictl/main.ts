/** The process around the command line. */

import { readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { Fault, reasonOf } from '@network/base/run/fault.ts'
import { systemClock, systemRandom } from '@network/base/time/clock.ts'
import { openDatastore } from '@network/datastore/open.ts'
import { agentsIn } from './agents.ts'
import { run } from './program.ts'

// Whoever reads only the beginning (head, a pager that is left) has seen what he wanted.
const readers = new AbortController()
process.stdout.on('error', (reason: NodeJS.ErrnoException) => {
  if (reason.code !== 'EPIPE') throw reason
  readers.abort()
})

// No top-level await: the bundle is CommonJS. A rejection is a bug, and Node ends the process with its stack.
run(process.argv.slice(2), {
  out: line => void process.stdout.write(`${line}\n`),
  err: line => void process.stderr.write(`${line}\n`),
  env: process.env,
  readText,
  openStore: (url, how) => openDatastore(url, { clock: systemClock, random: systemRandom, ...how }),
  agentsIn: runDir => agentsIn(runDir, systemClock),
  clock: systemClock,
  signal: new AbortController().signal,
  readerGone: readers.signal,
}).then(exit => {
  process.exitCode = exit
  // A shell waits for the end of the process, and what was given up (a store that is locked) may go on for long.
  if (process.argv[2] === '__complete') process.exit()
})

/** `-` is standard input. */
async function readText(path: string): Promise<string | undefined> {
  try {
    return path === '-' ? await text(process.stdin) : readFileSync(path, 'utf8')
  } catch (reason) {
    if (reason instanceof Error && 'code' in reason && reason.code === 'ENOENT') return undefined
    throw new Fault('calictl.unreachable', {
      doing: 'read',
      on: path,
      says: reasonOf(reason),
      mend: 'run calictl as root, or give --datastore and --run-dir',
    })
  }
}
