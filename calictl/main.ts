/** The process around the command line. */

import { readFileSync, writeSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { isatty } from 'node:tty'
import { Fault, reasonOf } from '@network/base/run/fault.ts'
import { systemClock, systemRandom } from '@network/base/time/clock.ts'
import { openDatastore } from '@network/datastore/open.ts'
import { agentsIn } from './agents.ts'
import { run } from './program.ts'
import { wantsColour } from './render/terminal.ts'

// Whoever reads only the beginning (head, a pager that is left) has seen what he wanted.
const readers = new AbortController()
const out = printer(1, () => process.stdout)
const err = printer(2, () => process.stderr)

// No top-level await: the bundle is CommonJS. A rejection is a bug, and Node ends the process with its stack.
run(process.argv.slice(2), {
  out,
  err,
  env: process.env,
  readText,
  openStore: (url, how) => openDatastore(url, { clock: systemClock, random: systemRandom, ...how }),
  agentsIn: runDir => agentsIn(runDir, systemClock),
  clock: systemClock,
  signal: new AbortController().signal,
  readerGone: readers.signal,
  colours: { out: wantsColour(process.env, () => isatty(1)), err: wantsColour(process.env, () => isatty(2)) },
}).then(exit => {
  process.exitCode = exit
  // A shell waits for the end of the process, and what was given up (a store that is locked) may go on for long.
  if (process.argv[2] === '__complete') process.exit()
})

/** Writes lines to a file descriptor: Node's own streams take 5 ms to load, and are needed only where somebody made it non-blocking. */
function printer(fd: number, streamOf: () => NodeJS.WriteStream): (line: string) => void {
  let stream: NodeJS.WriteStream | undefined
  const failed = (reason: unknown) => {
    if (!isErrno(reason, 'EPIPE')) throw reason
    readers.abort()
  }
  return line => {
    let rest: Uint8Array = Buffer.from(`${line}\n`)
    try {
      while (stream === undefined && rest.length > 0 && !readers.signal.aborted) rest = rest.subarray(writeSync(fd, rest))
    } catch (reason) {
      if (!isErrno(reason, 'EAGAIN')) return failed(reason)
      stream = streamOf().on('error', failed)
    }
    stream?.write(rest)
  }
}

function isErrno(reason: unknown, code: string): boolean {
  return reason instanceof Error && 'code' in reason && reason.code === code
}

/** `-` is standard input. */
async function readText(path: string): Promise<string | undefined> {
  try {
    return path === '-' ? await text(process.stdin) : readFileSync(path, 'utf8')
  } catch (reason) {
    if (isErrno(reason, 'ENOENT')) return undefined
    throw new Fault('calictl.unreachable', {
      doing: 'read',
      on: path,
      says: reasonOf(reason),
      mend: 'run calictl as root, or give --datastore and --run-dir',
    })
  }
}
