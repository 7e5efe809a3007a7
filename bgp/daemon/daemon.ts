/** A speaker that lives by a configuration file: started from it, and changed with it while sessions that did not change go on. */
import { readFileSync, unwatchFile, watchFile } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { Fault, reasonOf } from '@network/base/run/fault.ts'
import type { Log } from '@network/base/run/log.ts'
import type { Clock, Random } from '@network/base/time/clock.ts'
import { acceptAll } from '../options.ts'
import { recordedSpeaker } from '../record/recorder.ts'
import { tcpTransport } from '../session/tcp.ts'
import type { Transport } from '../session/transport.ts'
import { Speaker } from '../speaker.ts'
import { sayProblems } from './read-config.ts'
import { readSettings, type Settings } from './settings.ts'
import { Watchers } from './watchers.ts'

export interface Surroundings {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** TCP when left out. */
  readonly transport?: Transport
  /** Everything that reaches the speaker is written down, a line at a time. */
  readonly record?: (line: string) => void
}

/** How often the file is looked at. */
const LOOK_EVERY_MS = 1000

export class Daemon {
  readonly speaker: Speaker
  readonly watchers: Watchers
  readonly #file: string
  readonly #log: Log
  #settings: Settings

  /** Reads the file; a Fault lists everything that is wrong with it. */
  constructor(file: string, around: Surroundings) {
    this.#file = file
    this.#log = around.log
    this.#settings = this.#read()
    const { transport = tcpTransport(around.clock), record, ...rest } = around
    this.watchers = new Watchers(this.#settings.watch, rest)
    const options = { ...this.#settings.speaker, importFilter: acceptAll, ...rest, transport: this.watchers.around(transport) }
    this.speaker = record === undefined ? new Speaker(options) : recordedSpeaker(options, record)
    this.speaker.originate(this.#settings.originations)
    this.speaker.setPeers(this.#settings.peers)
  }

  get control(): string {
    return this.#settings.control
  }

  /** Calls back when the file has changed; the result ends it. */
  watch(changed: () => void): () => void {
    const look = () => changed()
    watchFile(this.#file, { interval: LOOK_EVERY_MS }, look)
    return () => unwatchFile(this.#file, look)
  }

  /** Takes over what the file says now; with a problem in it, all stays as it was. */
  reload(): void {
    let settings: Settings
    try {
      settings = this.#read()
    } catch (reason) {
      this.#log.error('configuration refused, the old one stays in force', { why: reasonOf(reason) })
      return
    }
    const fixed = unchangeable(this.#settings, settings)
    if (fixed.length > 0) {
      const why = `${fixed.join(', ')} cannot change while the daemon runs: restart it`
      this.#log.error('configuration refused, the old one stays in force', { why })
      return
    }
    const before = this.#settings
    this.#settings = settings
    const parts = [
      {
        name: 'originate',
        isSame: isDeepStrictEqual(before.originations, settings.originations),
        take: () => this.speaker.originate(settings.originations),
      },
      {
        name: 'neighbours',
        isSame: isDeepStrictEqual(before.peers, settings.peers),
        take: () => this.speaker.setPeers(settings.peers),
      },
      {
        name: 'dynamicNeighbours',
        isSame: isDeepStrictEqual(before.speaker.dynamicPeers, settings.speaker.dynamicPeers),
        take: () => this.speaker.setDynamicPeers(settings.speaker.dynamicPeers ?? []),
      },
    ].filter(({ isSame }) => !isSame)
    for (const { take } of parts) take()
    this.#log.info('configuration taken over', { changed: parts.map(({ name }) => name) })
  }

  #read(): Settings {
    const read = readSettings(textOf(this.#file))
    if (!read.ok)
      throw new Fault('bgpd.config', { doing: 'use', on: this.#file, says: `\n${sayProblems(this.#file, read.problems)}` })
    for (const warning of read.warnings) this.#log.warn('configuration', { warning: sayProblems(this.#file, [warning]) })
    return read.settings
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new Fault('bgpd.config', { doing: 'read', on: file, says: reasonOf(cause) }, { cause })
  }
}

/** Settings of the speaker itself, by their names in the file. */
function unchangeable(before: Settings, after: Settings): readonly string[] {
  const { dynamicPeers: _before, ...fixedBefore } = before.speaker
  const { dynamicPeers: _after, ...fixedAfter } = after.speaker
  const names = new Set([...Object.keys(fixedBefore), ...Object.keys(fixedAfter)])
  const changed = [...names].filter(name => !isDeepStrictEqual(Reflect.get(fixedBefore, name), Reflect.get(fixedAfter, name)))
  const watch = (['bmp', 'mrt', 'lookingGlass'] as const).filter(
    name => !isDeepStrictEqual(before.watch[name], after.watch[name]),
  )
  return [...changed, ...watch, ...(before.control === after.control ? [] : ['control'])]
}
