/** A real BIRD 2 in a network namespace of its own, one cable away from this process. */
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '@network/base/time/clock.ts'
import { millis } from '@network/base/time/units.ts'
import { execa } from 'execa'
import { daemonIn, execIn } from '../lab/command.ts'
import { until } from '../lab/until.ts'

/** Our end of the cable, and a second address there for a third speaker. */
export const OURS = '10.9.0.1'
export const THIRD = '10.9.0.3'
export const BIRDS = '10.9.0.2'
const NAMESPACE = 'bird'

export interface BirdOptions {
  readonly passive?: boolean
  readonly asn?: number
  readonly holdTime?: number
  readonly gracefulRestart?: boolean
  /** Prefixes that BIRD announces. */
  readonly routes?: readonly string[]
  /** Statements of BIRD's filter language that run on each route it announces. */
  readonly dress?: string
}

/** One route as `birdc show route all` prints it: indented attribute lines without their indentation. */
export interface BirdRoute {
  readonly prefix: string
  readonly lines: readonly string[]
}

/** Lays the cable: once a test file, in fresh namespaces. */
export async function layCable(): Promise<void> {
  const ip = (...words: string[]) => execa('ip', words, { env: { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` } })
  await ip('netns', 'add', NAMESPACE)
  await ip('link', 'add', 'to-bird', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', NAMESPACE)
  for (const address of [OURS, THIRD]) await ip('address', 'add', `${address}/24`, 'dev', 'to-bird')
  await ip('link', 'set', 'to-bird', 'up')
  await ip('-n', NAMESPACE, 'address', 'add', `${BIRDS}/24`, 'dev', 'eth0')
  await ip('-n', NAMESPACE, 'link', 'set', 'lo', 'up')
  await ip('-n', NAMESPACE, 'link', 'set', 'eth0', 'up')
}

export class Bird implements AsyncDisposable {
  readonly #folder = mkdtempSync('/run/bird-')
  #process: ChildProcess | undefined

  /** Starts BIRD; resolves when its control socket answers. */
  static async start(options: BirdOptions): Promise<Bird> {
    const bird = new Bird()
    bird.configure(options)
    await bird.launch()
    return bird
  }

  configure(options: BirdOptions): void {
    writeFileSync(this.#file('bird.conf'), configText(options, this.#file('bird.log')))
  }

  /** With `recover` it takes itself for restarted and asks its peers to keep its routes (RFC 4724). */
  async launch(mode: 'fresh' | 'recover' = 'fresh'): Promise<void> {
    const log = openSync(this.#file('output'), 'a')
    const words = ['bird', '-f', '-c', this.#file('bird.conf'), '-s', this.#file('control'), '-P', this.#file('pid')]
    this.#process = daemonIn(NAMESPACE, mode === 'recover' ? [...words, '-R'] : words, log)
    await this.until('the control socket of BIRD', async () => (await this.tell('show status')).includes('up and running'))
  }

  async reconfigure(options: BirdOptions): Promise<void> {
    this.configure(options)
    await this.tell('configure')
  }

  signal(signal: NodeJS.Signals): void {
    this.#process?.kill(signal)
  }

  /** SIGKILL, and waits until it is gone. */
  async kill(): Promise<void> {
    const running = this.#process
    this.#process = undefined
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return
    running.ref()
    const gone = new Promise(resolve => running.once('exit', resolve))
    running.kill('SIGKILL')
    await gone
    rmSync(this.#file('control'), { force: true })
  }

  /** Routes that BIRD has from us, by prefix. */
  async routes(): Promise<ReadonlyMap<string, BirdRoute>> {
    return parseRoutes(await this.tell('show route all protocol cali'))
  }

  /** What BIRD says of its session with us. */
  session(): Promise<string> {
    return this.tell('show protocols all cali')
  }

  /** Waits for a condition; past the deadline the fault shows BIRD's own log. */
  until<T>(what: string, look: () => T | Promise<T>): Promise<Exclude<T, undefined | false>> {
    return until(look, {
      clock: systemClock,
      what,
      every: millis(50),
      instead: () => readFileSync(this.#file('bird.log'), 'utf8').split('\n').slice(-30).join('\n'),
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
    rmSync(this.#folder, { recursive: true })
  }

  /** A command of birdc; its arguments are split at spaces. */
  async tell(words: string): Promise<string> {
    return (await execIn(NAMESPACE, ['birdc', '-s', this.#file('control'), ...words.split(' ')])).stdout
  }

  #file(name: string): string {
    return join(this.#folder, name)
  }
}

function configText(
  { passive = false, asn = 64512, holdTime = 9, gracefulRestart = false, routes = [], dress = '' }: BirdOptions,
  log: string,
): string {
  return `
    log "${log}" all;
    router id ${BIRDS};
    protocol device {}
    protocol static {
      ipv4;
      ${routes.map(route => `route ${route} blackhole;`).join('\n')}
    }
    protocol bgp cali {
      local ${BIRDS} as ${asn};
      neighbor ${OURS} as 64512;
      direct;
      hold time ${holdTime};
      connect delay time 1;
      connect retry time 1;
      error wait time 1, 2;
      ${gracefulRestart ? 'graceful restart on;' : ''}
      ${passive ? 'passive;' : ''}
      debug { states, events };
      ipv4 { import all; export filter { if source != RTS_STATIC then reject; ${dress} accept; }; };
    }
  `
}

function parseRoutes(text: string): ReadonlyMap<string, BirdRoute> {
  const routes = new Map<string, { prefix: string; lines: string[] }>()
  let current: { prefix: string; lines: string[] } | undefined
  for (const line of text.split('\n')) {
    const prefix = /^(\d+\.\d+\.\d+\.\d+\/\d+)\s/.exec(line)?.[1]
    if (prefix !== undefined) {
      current = { prefix, lines: [line.slice(prefix.length).trim()] }
      routes.set(prefix, current)
    } else if (/^\s/.test(line)) current?.lines.push(line.trim())
  }
  return routes
}
