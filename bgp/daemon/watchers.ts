/** What only looks at the speaker, as the configuration wants it: BMP stations, a log of messages, dumps of the table, a looking glass. */
import { createWriteStream, type WriteStream } from 'node:fs'
import { rename, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { reasonOf } from '@network/base/run/fault.ts'
import type { Log } from '@network/base/run/log.ts'
import type { Scope } from '@network/base/run/scope.ts'
import type { Cancel, Clock, Random } from '@network/base/time/clock.ts'
import { after, type Millis } from '@network/base/time/units.ts'
import { Monitor } from '../bmp/monitor.ts'
import { Station, type StationConfig } from '../bmp/station.ts'
import { MessageLog } from '../mrt/message-log.ts'
import { tableDump } from '../mrt/table-dump.ts'
import type { Transport } from '../session/transport.ts'
import type { Speaker } from '../speaker.ts'
import { type Observer, observed, together } from '../watch/observe.ts'
import { openLookingGlass } from './looking-glass.ts'

export interface WatchSettings {
  readonly bmp: readonly StationConfig[]
  readonly mrt: {
    /** Every message goes to the end of this file. */
    readonly messages: string | undefined
    readonly tables: { readonly directory: string; readonly every: Millis } | undefined
  }
  readonly lookingGlass: { readonly address: string; readonly port: number } | undefined
}

export interface WatchTools {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/** A disk that is slower than the messages loses some of them, and says so, before it takes the memory. */
const MOST_UNWRITTEN = 64 * 1024 * 1024

export class Watchers {
  readonly #settings: WatchSettings
  readonly #tools: WatchTools
  readonly #monitor: Monitor | undefined
  readonly #messages: MessageLog | undefined
  readonly #file: MessageFile | undefined

  constructor(settings: WatchSettings, tools: WatchTools) {
    const { bmp, mrt } = settings
    this.#settings = settings
    this.#tools = tools
    if (bmp.length > 0) this.#monitor = new Monitor(tools.clock, { system: hostname(), description: 'cali-bgpd' })
    if (mrt.messages === undefined) return
    const file = new MessageFile(mrt.messages, tools.log)
    this.#file = file
    this.#messages = new MessageLog(tools.clock, record => file.write(record))
  }

  /** The same transport where nobody watches. */
  around(transport: Transport): Transport {
    const observers: Observer[] = [this.#monitor, this.#messages].filter(each => each !== undefined)
    return observers.length === 0 ? transport : observed(transport, together(observers))
  }

  /** Everything ends with the scope. A Fault says where the looking glass cannot listen. */
  async start(speaker: Speaker, scope: Scope): Promise<void> {
    const { bmp, mrt, lookingGlass } = this.#settings
    this.#messages?.follow(speaker)
    const file = this.#file
    if (file !== undefined) scope.defer('message log', () => file.close())
    if (this.#monitor !== undefined) {
      this.#monitor.follow(speaker)
      for (const config of bmp) {
        const station = new Station(config, this.#monitor, this.#tools)
        station.start()
        scope.defer('BMP station', () => station.stop())
      }
    }
    if (mrt.tables !== undefined) scope.defer('table dumps', this.#dumpRegularly(speaker, mrt.tables))
    if (lookingGlass !== undefined) scope.own(await openLookingGlass(lookingGlass, speaker, this.#tools.clock))
  }

  #dumpRegularly(
    speaker: Speaker,
    { directory, every }: { readonly directory: string; readonly every: Millis },
  ): () => Promise<void> {
    const { clock, log } = this.#tools
    let cancel: Cancel | undefined
    const later = () => {
      cancel = clock.wakeAt(after(clock.now(), every), () => {
        void dumpTable(speaker, directory, clock.wall()).catch((reason: unknown) =>
          log.error('table not dumped', { directory, why: reasonOf(reason) }),
        )
        later()
      })
    }
    later()
    return async () => cancel?.()
  }
}

/** `rib.20260131.1200.mrt` in the directory; it appears there whole or not at all. Gives its path. */
async function dumpTable(speaker: Speaker, directory: string, at: Date): Promise<string> {
  const [day = '', time = ''] = at.toISOString().split('T')
  const path = join(directory, `rib.${day.replaceAll('-', '')}.${time.slice(0, 5).replace(':', '')}.mrt`)
  await writeFile(`${path}.unfinished`, Buffer.concat([...tableDump(speaker, at)]))
  await rename(`${path}.unfinished`, path)
  return path
}

class MessageFile {
  readonly #stream: WriteStream
  readonly #log: Log
  readonly #path: string
  #failed = false

  constructor(path: string, log: Log) {
    this.#path = path
    this.#log = log
    this.#stream = createWriteStream(path, { flags: 'a' })
    this.#stream.on('error', cause => this.#fail(cause.message))
  }

  write(record: Uint8Array): void {
    if (this.#failed) return
    if (this.#stream.writableLength > MOST_UNWRITTEN) this.#fail('the disk does not keep up')
    else this.#stream.write(record)
  }

  close(): Promise<void> {
    return new Promise(resolve => {
      if (this.#failed) resolve()
      else this.#stream.end(() => resolve())
    })
  }

  /** Once: a log with holes would be taken for whole. */
  #fail(why: string): void {
    if (this.#failed) return
    this.#failed = true
    this.#log.error('message log ends', { file: this.#path, why })
  }
}
