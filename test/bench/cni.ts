/** CNI ADD as a container runtime sees it: from the start of the plugin's process to its end, for both programs of the plugin. */

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Fault } from '@network/base/run/fault.ts'
import { socketOf } from '../lab/agents.ts'
import { execIn } from '../lab/command.ts'
import { addNamespace } from '../lab/fabric.ts'
import { createLab } from '../lab/lab.ts'
import { builtCni, CNI_BY_NODE, CNI_PLUGIN, type CniPlugin, NETNS_DIR, RUN_DIR, staticCni } from '../lab/paths.ts'
import { topology } from '../lab/topology.ts'
import type { Bench, Measurement } from './measurement.ts'
import { compile } from './programs.ts'
import { percentile } from './statistics.ts'

const PODS = 100
const ROUNDS = 3
const NODE = 'a1'
/** Milliseconds: p50 of those one after another, p99 of those at once. */
interface Bars {
  readonly inTurn?: number
  readonly atOnce?: number
}

const STATIC_BARS: Bars = { inTurn: 30, atOnce: 1000 }
const NODE_BARS: Bars = { inTurn: 150 }

interface Contender {
  readonly name: string
  readonly plugin: CniPlugin
  readonly bars: Bars
  readonly inTurn: number[]
  readonly atOnce: number[]
}

export const cniBench: Bench = {
  name: 'cni',
  async measure(say) {
    const workshop = join(RUN_DIR, 'bench')
    await using _lab = await createLab(topology(1, 1, 0), { pool: { cidr: '10.244.0.0/16', ipip: 'Never' } })
    mkdirSync(workshop, { recursive: true })
    // Starts plugins faster than Node could.
    const runtime = compile('cni.c', join(workshop, 'cni'))
    if (runtime === undefined) {
      say('there is no gcc here: CNI ADD is not measured')
      return []
    }
    const config = join(workshop, 'config.json')
    writeFileSync(config, JSON.stringify({ cniVersion: '1.0.0', name: 'cali', type: 'cali', agent: socketOf(NODE) }))
    const pods = Array.from({ length: PODS }, (_, at) => `pod-${at + 1}`)
    for (const pod of pods) await addNamespace(pod)
    const time = async (how: 'in-turn' | 'at-once', command: 'ADD' | 'DEL', plugin: CniPlugin): Promise<number[]> => {
      const argv = [runtime, how, command, NETNS_DIR, config, ...plugin]
      const ended = await execIn(NODE, argv, { input: pods.join('\n'), timeoutMs: 120_000 })
      const times = ended.stdout.trim().split('\n').map(Number)
      if (ended.exitCode === 0 && times.length === PODS) return times
      throw new Fault('bench.cni', { doing: command, on: `${PODS} pods ${how}`, says: ended.stderr || ended.stdout })
    }
    const contenders = contendersHere()
    const [fastest] = contenders
    for (let round = 1; round <= ROUNDS; round++)
      for (const { name, plugin, inTurn, atOnce } of contenders) {
        say(`${PODS} pods one after another and all at once, ${name}, round ${round} of ${ROUNDS}`)
        inTurn.push(...(await time('in-turn', 'ADD', plugin)))
        await time('at-once', 'DEL', fastest?.plugin ?? plugin)
        atOnce.push(...(await time('at-once', 'ADD', plugin)))
        await time('at-once', 'DEL', fastest?.plugin ?? plugin)
      }
    return contenders.flatMap(resultsOf)
  },
}

function contendersHere(): Contender[] {
  const built = staticCni()
  const contender = (name: string, plugin: CniPlugin, bars: Bars) => ({ name, plugin, bars, inTurn: [], atOnce: [] })
  return [
    ...(built === undefined
      ? []
      : [contender('static program', built, STATIC_BARS), contender('launcher and static program', [CNI_PLUGIN], STATIC_BARS)]),
    contender('Node', builtCni() ?? CNI_BY_NODE, NODE_BARS),
  ]
}

function resultsOf({ name, bars, inTurn, atOnce }: Contender): Measurement[] {
  return [
    result(`CNI ADD by ${name}, ${PODS} pods one after another: p50`, percentile(inTurn, 50), bars.inTurn),
    result(`CNI ADD by ${name}, ${PODS} pods one after another: p99`, percentile(inTurn, 99)),
    result(`CNI ADD by ${name}, ${PODS} pods at once: p50`, percentile(atOnce, 50)),
    result(`CNI ADD by ${name}, ${PODS} pods at once: p99`, percentile(atOnce, 99), bars.atOnce),
  ]
}

function result(what: string, value: number, bar?: number): Measurement {
  const measured: Measurement = { what, value, unit: 'ms', runs: ROUNDS }
  if (bar === undefined) return measured
  return { ...measured, comparison: { to: 'the bar', bar: { text: `under ${bar} ms`, met: value < bar } } }
}
