/** CNI ADD as a container runtime sees it: from the start of the plugin's process to its end. */

import { systemClock } from '@network/base/time/clock.ts'
import { between } from '@network/base/time/units.ts'
import { addNamespace } from '../lab/fabric.ts'
import { createLab, type Lab } from '../lab/lab.ts'
import { topology } from '../lab/topology.ts'
import type { Bench, Measurement } from './measurement.ts'
import { percentile } from './statistics.ts'

const PODS = 50
const ROUNDS = 3
const BAR_MS = 150
const NODE = 'a1'

export const cniBench: Bench = {
  name: 'cni',
  async measure(say) {
    await using lab = await createLab(topology(1, 1, 0), { pool: { cidr: '10.244.0.0/16', ipip: 'Never' } })
    const pods = Array.from({ length: PODS }, (_, at) => `pod-${at + 1}`)
    for (const pod of pods) await addNamespace(pod)
    const inTurn: number[] = []
    const atOnce: number[] = []
    for (let round = 1; round <= ROUNDS; round++) {
      say(`${PODS} pods one after another and ${PODS} at once, round ${round} of ${ROUNDS}`)
      for (const pod of pods) inTurn.push(await timeAdd(lab, pod))
      await removeAll(lab, pods)
      atOnce.push(...(await Promise.all(pods.map(pod => timeAdd(lab, pod)))))
      await removeAll(lab, pods)
    }
    return [...resultsOf(`${PODS} pods one after another`, inTurn, BAR_MS), ...resultsOf(`${PODS} pods at once`, atOnce)]
  },
}

async function timeAdd(lab: Lab, pod: string): Promise<number> {
  const began = systemClock.now()
  const { exitCode, stdout } = await lab.cni('ADD', NODE, pod)
  if (exitCode !== 0) throw new Error(`ADD of ${pod} failed: ${stdout}`)
  return between(began, systemClock.now())
}

/** The namespaces stay. */
async function removeAll(lab: Lab, pods: readonly string[]): Promise<void> {
  for (const pod of pods) {
    const { exitCode, stdout } = await lab.cni('DEL', NODE, pod)
    if (exitCode !== 0) throw new Error(`DEL of ${pod} failed: ${stdout}`)
  }
}

function resultsOf(name: string, times: readonly number[], bar?: number): Measurement[] {
  return [50, 99].map(percent => {
    const value = percentile(times, percent)
    const what = `CNI ADD, ${name}: p${percent}`
    if (bar === undefined || percent !== 50) return { what, value, unit: 'ms', runs: ROUNDS }
    return {
      what,
      value,
      unit: 'ms',
      runs: ROUNDS,
      comparison: { to: 'the bar', bar: { text: `under ${bar} ms`, met: value < bar } },
    }
  })
}
