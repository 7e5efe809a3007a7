/** npm run demo: the main job, proven step by step on a cluster made of network namespaces. */

import { reasonOf } from '@network/base/run/fault.ts'
import { systemClock } from '@network/base/time/clock.ts'
import { between } from '@network/base/time/units.ts'
import { Command } from 'commander'
import { createLab, type Lab } from '../lab/lab.ts'
import { topology } from '../lab/topology.ts'
import { type Evidence, type Show, type Step, StepFailure, type StepOutcome } from './step.ts'
import { steps } from './steps.ts'

const { json } = new Command('demo')
  .description('Builds two racks of two nodes with a real agent each, and proves that pods reach each other, step by step.')
  .option('--json', 'print the outcome as data, on standard output, when all is done')
  .addHelpText('after', '\nExample:\n  npm run demo\n  npm run -s demo -- --json')
  .parse()
  .opts<{ readonly json?: boolean }>()

const clock = systemClock
const say = json === true ? () => undefined : (line: string) => process.stdout.write(`${line}\n`)
// The virtual machine has no terminal; who started it may have one.
const colour = json !== true && (process.stdout.isTTY || process.env.FORCE_COLOR !== undefined) && !process.env.NO_COLOR

const outcomes = await play()
const passed = outcomes.every(outcome => outcome.passed)
const total = outcomes.reduce((sum, { seconds }) => sum + seconds, 0)
if (json === true) process.stdout.write(`${JSON.stringify({ passed, seconds: round(total), steps: outcomes }, undefined, 2)}\n`)
else
  say(`\n${mark(passed)} ${outcomes.filter(({ passed }) => passed).length} of ${outcomes.length} steps hold, ${round(total)} s`)
process.exitCode = passed ? 0 : 1

async function play(): Promise<StepOutcome[]> {
  let lab: Lab | undefined
  const build = async () => {
    lab = await createLab(topology(2, 2, 2), { say: line => say(`   ${line}`) })
    return lab
  }
  try {
    const outcomes: StepOutcome[] = []
    for (const [at, step] of steps(build).entries()) outcomes.push(await perform(step, at + 1))
    return outcomes
  } finally {
    await lab?.[Symbol.asyncDispose]()
  }
}

async function perform({ title, run }: Step, number: number): Promise<StepOutcome> {
  const from = clock.now()
  const evidence: Evidence[] = []
  const show: Show = (text, data) => {
    evidence.push(data === undefined ? { text } : { text, data })
    say(`   ${text}`)
  }
  say(`\n${number}. ${title}`)
  let failure: StepOutcome['failure'] = null
  try {
    await run(show)
  } catch (reason) {
    failure =
      reason instanceof StepFailure
        ? { expected: reason.expected, seen: reason.seen, look: reason.look }
        : { expected: 'the step to run to its end', seen: reasonOf(reason), look: '/run/cali/log of the lab' }
  }
  const seconds = round(between(from, clock.now()) / 1000)
  if (failure !== null) say(`   expected ${failure.expected}\n   saw      ${failure.seen}\n   look at  ${failure.look}`)
  say(`   ${mark(failure === null)} ${seconds} s`)
  return { number, title, passed: failure === null, seconds, evidence, failure }
}

function mark(good: boolean): string {
  const word = good ? 'PASS' : 'FAIL'
  return colour ? `\u001b[${good ? 32 : 31}m${word}\u001b[0m` : word
}

function round(seconds: number): number {
  return Math.round(seconds * 10) / 10
}
