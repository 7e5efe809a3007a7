/** Runs the launcher as a shell would: a real process. */
import { type ExecFileOptions, execFile } from 'node:child_process'
import { join } from 'node:path'
import type { Stage } from './stage.ts'

export const LAUNCHER = join(import.meta.dirname, '..', 'calictl')

export interface Launched {
  readonly exit: number
  readonly out: string
  readonly err: string
}

/** `calictl` at the stage's store and sockets; `command` is another name of the launcher. */
export function launch(stage: Stage, line: string, command: string = LAUNCHER): Promise<Launched> {
  return runProcess(command, ['--run-dir', stage.directory, ...line.split(' ')], environmentOf(stage))
}

/** What finds the stage's store, and the launcher by its name. */
export function environmentOf({ directory, url }: Stage): NodeJS.ProcessEnv {
  return { PATH: `${join(LAUNCHER, '..')}:${process.env['PATH'] ?? ''}`, HOME: directory, CALI_DATASTORE: url }
}

/** A process to its end; a failure is a value. One that does not end fails the test. */
export function runProcess(
  command: string,
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
  input: string = '',
): Promise<Launched> {
  const options: ExecFileOptions = { env, cwd: '/', timeout: 60_000 }
  return new Promise((resolve, reject) => {
    const child = execFile(command, argv, options, (reason, stdout, stderr) => {
      const exit = reason === null ? 0 : reason.code
      if (typeof exit === 'number') resolve({ exit, out: String(stdout), err: String(stderr) })
      else reject(reason)
    })
    child.stdin?.end(input)
  })
}
