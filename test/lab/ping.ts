/** Pings with their sequence numbers kept, so that loss is counted and not guessed. */
import { type Millis, millis } from '@network/base/time/units.ts'
import type { Lab } from './lab.ts'
import { until } from './until.ts'

export interface Flood {
  /** Resolves when so many replies have come (1 unless told): the flood is under way. */
  flowing(replies?: number): Promise<void>
  /** Ends the flood, waits a second for stragglers and counts. */
  stop(): Promise<FloodResult>
}

export interface FloodResult {
  readonly sent: number
  readonly received: number
  /** Of the requests that were never answered, in order. */
  readonly lostSequences: readonly number[]
  /** Time to live as the replies arrived with, each value once, in order of first appearance. */
  readonly ttls: readonly number[]
  /** Milliseconds, one a reply. */
  readonly rtts: readonly number[]
  /** What ping said of errors on the way: `From 172.16.20.1 icmp_seq=4 Destination Net Unreachable`. */
  readonly refusals: readonly string[]
}

export interface FloodOptions {
  /** Between two requests; 10 ms unless told, 2 ms is the least that ping takes from ordinary users. */
  readonly interval?: Millis
  /** ICMP payload; 56 octets unless told. */
  readonly size?: number
}

/** A packet waits for a processor longer than for the wire: what is not back by then is lost. */
const STRAGGLERS = millis(10_000)

/** Starts pinging `to`, an address, from a pod or node; requests go out at the interval whether or not replies come. */
export function flood(lab: Lab, from: string, to: string, options: FloodOptions = {}): Flood {
  const { interval = millis(10), size = 56 } = options
  const argv = ['ping', '-n', '-O', '-i', String(interval / 1000), '-s', String(size), to]
  const ping = lab.spawnIn(from, argv)
  const tally = new Tally()
  ping.stdout.on('data', (chunk: Buffer) => tally.read(chunk.toString()))
  return {
    flowing: async (replies = 1) => {
      await until(() => tally.rtts.size >= replies, {
        clock: lab.clock,
        what: `${replies} replies from ${to} to ${from}`,
        instead: () => `${tally.rtts.size} came ${tally.refusals.slice(-3).join('; ')}`,
      })
    },
    stop: async () => {
      // A stopped ping counts what it sent but hears no more; so it goes on for as long as some are out, and only what was sent before counts.
      const last = tally.lastKnown
      const allBack = () => tally.result(last).lostSequences.length === 0
      await until(allBack, { clock: lab.clock, what: 'stragglers', within: STRAGGLERS }).catch(() => undefined)
      ping.kill('SIGINT')
      await ping.ended
      return tally.result(last)
    },
  }
}

/** Sends `count` requests (3 unless told) and counts the replies within a second each. */
export async function ping(lab: Lab, from: string, to: string, count = 3): Promise<FloodResult> {
  const { stdout } = await lab.exec(from, ['ping', '-n', '-O', '-c', String(count), '-i', '0.2', '-W', '1', to])
  const tally = new Tally()
  tally.read(`${stdout}\n`)
  return tally.result(count)
}

/** Reads ping's lines; with -O it names every request that had no answer when the next went out. */
class Tally {
  readonly rtts = new Map<number, number>()
  readonly ttls = new Set<number>()
  readonly refusals: string[] = []
  lastKnown = 0
  #rest = ''

  read(text: string): void {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) this.#line(line)
  }

  result(sent: number): FloodResult {
    const sequences = Array.from({ length: sent }, (_, at) => at + 1)
    const answered = sequences.filter(each => this.rtts.has(each))
    return {
      sent,
      received: answered.length,
      lostSequences: sequences.filter(each => !this.rtts.has(each)),
      ttls: [...this.ttls],
      rtts: answered.flatMap(each => this.rtts.get(each) ?? []),
      refusals: this.refusals,
    }
  }

  #line(line: string): void {
    const sequence = Number(/icmp_seq=(\d+)/.exec(line)?.[1])
    if (Number.isNaN(sequence)) return
    this.lastKnown = Math.max(this.lastKnown, sequence)
    const reply = /bytes from .* icmp_seq=\d+ ttl=(\d+) time=([\d.]+) ms/.exec(line)
    if (reply !== null) {
      if (!this.rtts.has(sequence)) this.rtts.set(sequence, Number(reply[2]))
      this.ttls.add(Number(reply[1]))
    } else if (line.startsWith('From ')) this.refusals.push(line)
  }
}
