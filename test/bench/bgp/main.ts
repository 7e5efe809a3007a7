/** npm run bench:bgp: cali-bgpd beside other speakers, scenario by scenario, with generator and receiver of our own. */
import { mkdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { systemClock } from '@network/base/time/clock.ts'
import { between } from '@network/base/time/units.ts'
import { Command, InvalidArgumentError, Option } from 'commander'
import { describe, thisMachine } from '../machine.ts'
import { run, SMALL } from './contest.ts'
import { progressOf } from './progress.ts'
import { SCENARIOS, type Scenario } from './scenarios.ts'
import { PEER_NAMES, type PeerName, SPEAKERS } from './speakers.ts'
import { type Run, render, rowsOf, shareOfOthers } from './table.ts'

const GIVE_UP = 2

interface Options {
  readonly scenario: readonly string[]
  readonly peers: readonly PeerName[]
  readonly runs: number
  readonly output: 'table' | 'json'
  readonly small?: true
  readonly profile?: string
}

const options = new Command('bench:bgp')
  .description('Measures cali-bgpd as a route reflector beside BIRD, FRR and GoBGP, those of them that are installed.')
  .addOption(new Option('--scenario <names...>', 'not all scenarios').choices(SCENARIOS.map(({ name }) => name)))
  .addOption(new Option('--peers <names...>', 'not all speakers').choices(PEER_NAMES))
  .option('--runs <count>', 'of each, interleaved; medians are shown', wholeNumber, 5)
  .option('--small', 'tiny numbers, which show only that everything works')
  .option('--profile <folder>', 'where cali-bgpd leaves processor profiles of itself (it is slower then)', text => resolve(text))
  .addOption(new Option('-o, --output <format>', 'how to print').choices(['table', 'json']).default('table'))
  .addHelpText('after', scenariosHelp())
  .addHelpText('after', '\nExample:\n  npm run -s bench:bgp -- --scenario mesh-200 flap-200 --peers cali bird frr --runs 3')
  .parse()
  .opts<Partial<Options> & Pick<Options, 'runs' | 'output'>>()

const began = systemClock.now()
const say = (line: string) => void process.stderr.write(`${line}\n`)
const machine = thisMachine()
const names = (options.peers ?? PEER_NAMES).filter(isInstalled)
const versions = Object.fromEntries(names.map(name => [name, versionOf(name)]))
const scenarios = SCENARIOS.filter(({ name }) => options.scenario?.includes(name) ?? true)
if (options.profile !== undefined) mkdirSync(options.profile, { recursive: true })
say(describe(machine))
for (const name of names) say(`${SPEAKERS[name].title} ${versions[name]}`)
const { profile } = options
const runOptions = { ...(profile === undefined ? {} : { profile }), ...(options.small ? SMALL : {}) }
const runs = await race(scenarios)
const rows = rowsOf(scenarios, runs)
const seconds = Math.round(between(began, systemClock.now()) / 1000)
process.stdout.write(options.output === 'json' ? asJson() : asTable())
if (runs.some(({ outcome }) => outcome.is !== 'complete')) process.exitCode = 1

/** Speaker after speaker, scenario after scenario, round after round: whatever else the machine does hits all alike. */
async function race(chosen: readonly Scenario[]): Promise<Run[]> {
  const done: Run[] = []
  for (let round = 1; round <= options.runs; round++)
    for (const scenario of chosen)
      for (const speaker of names) {
        if (failuresOf(done, scenario, speaker) >= GIVE_UP) continue
        const outcome = await run(SPEAKERS[speaker], options.small ? scenario.small : scenario.job, runOptions)
        done.push({ scenario: scenario.name, speaker, outcome })
        say(`round ${round} of ${options.runs}: ${progressOf(scenario, SPEAKERS[speaker].title, outcome)}`)
      }
  return done
}

/** Who fails often fails slowly: the rest of its runs is spared. */
function failuresOf(done: readonly Run[], { name }: Scenario, speaker: PeerName): number {
  return done.filter(one => one.scenario === name && one.speaker === speaker && one.outcome.is !== 'complete').length
}

function isInstalled(name: PeerName): boolean {
  if (SPEAKERS[name].program() !== undefined) return true
  process.stderr.write(`${SPEAKERS[name].title} is not installed here: nothing is compared with it\n`)
  return false
}

function versionOf(name: PeerName): string {
  const { program, version } = SPEAKERS[name]
  return version(program() ?? '')
}

function asTable(): string {
  const speakers = names.map(name => `${SPEAKERS[name].title} ${versions[name]}`).join('; ')
  const others = Math.round(100 * shareOfOthers(runs, machine.cores))
  const said = `${options.runs === 1 ? 'one run' : `medians of ${options.runs} interleaved runs`}, ${seconds} s; others used ${others} % of the machine meanwhile`
  return `${describe(machine)}\n${speakers}\n\n${render(rows, runs, names)}\n\n${said}\n`
}

function asJson(): string {
  return `${JSON.stringify({ machine, versions, seconds, rows, runs }, undefined, 2)}\n`
}

function wholeNumber(text: string): number {
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It must be a whole number from 1.')
}

function scenariosHelp(): string {
  return `\nScenarios:\n${SCENARIOS.map(({ name, says }) => `  ${name.padEnd(18)} ${says}`).join('\n')}`
}
