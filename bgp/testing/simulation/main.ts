/** npm run simulate: many seeds, or one again; a seed that fails is made smaller and told with what it needs to fail. */
import { systemClock } from '@network/base/time/clock.ts'
import { Command, InvalidArgumentError } from 'commander'
import { type Scenario, scenarioFor } from './faults.ts'
import { figures } from './figures.ts'
import { simulate } from './run.ts'
import { describeFault, shrink } from './shrink.ts'

const EXAMPLES = `
Examples:
  npm run simulate                                  one seed with a thousand speakers
  npm run simulate -- --speakers 50 --seeds 1000    a thousand seeds with fifty
  npm run simulate -- --speakers 50 --seed 17       one seed again, exactly
  npm run simulate -- --figures                     what timers and reflectors cost and bring`

interface Options {
  readonly speakers: number
  readonly seed: number
  readonly seeds: number
  readonly shrink: boolean
  readonly figures: boolean
  readonly output: 'text' | 'json'
}

const program = new Command('simulate')
  .description('Runs BGP speakers on one virtual clock through faults of a seed, and holds every table to a model.')
  .option('--speakers <number>', 'how many speakers', positive, 1000)
  .option('--seed <number>', 'the first seed', positive, 1)
  .option('--seeds <number>', 'how many seeds, one after another', positive, 1)
  .option('--no-shrink', 'tell a failing scenario as it is')
  .option('--figures', 'measure convergence instead, in virtual time', false)
  .option('-o, --output <format>', 'text or json', format, 'text')
  .addHelpText('after', EXAMPLES)

const options = program.parse().opts<Options>()
process.exitCode = options.figures ? await tellFigures(options) : await runSeeds(options)

async function runSeeds({ speakers, seed: first, seeds, shrink: isShrunk, output }: Options): Promise<number> {
  const began = systemClock.now()
  for (let seed = first; seed < first + seeds; seed++) {
    const scenario = scenarioFor(seed, speakers)
    const { complaint, lasted, updates } = await simulate(scenario, { lookEvery: lookEvery(speakers) })
    if (complaint !== undefined) return tellFailure(scenario, complaint.says, isShrunk, output)
    if (output === 'json') print(JSON.stringify({ seed, shape: scenario.shape, faults: scenario.faults.length, updates }))
    else
      progress(
        `seed ${seed}: ${scenario.shape.is}, ${scenario.faults.length} faults, ${updates} UPDATEs in ${lasted / 1000} virtual seconds: right`,
      )
  }
  const took = Math.round((systemClock.now() - began) / 1000)
  progress(`${seeds} seeds from ${first} with ${speakers} speakers: nothing wrong, in ${took} s`)
  return 0
}

async function tellFailure(scenario: Scenario, says: string, isShrunk: boolean, output: Options['output']): Promise<number> {
  progress(`seed ${scenario.seed} fails: ${says}`)
  if (isShrunk) progress('looking for the fewest faults that fail …')
  const smaller = isShrunk ? await shrink(scenario, async each => (await simulate(each)).complaint !== undefined) : scenario
  if (output === 'json') print(JSON.stringify({ says, scenario: smaller }))
  else print([`speakers ${smaller.shape.speakers}, ${smaller.shape.is}`, ...smaller.faults.map(describeFault)].join('\n'))
  return 1
}

async function tellFigures({ output }: Options): Promise<number> {
  const rows = []
  for await (const row of figures()) {
    rows.push(row)
    if (output === 'text') print(`${row.what}: ${row.value}`)
  }
  if (output === 'json') print(JSON.stringify(rows))
  return 0
}

/** A look reads every table: of a thousand speakers that is a million routes. */
function lookEvery(speakers: number): number {
  return speakers > 200 ? 30_000 : 5000
}

function positive(text: string): number {
  const number = Number(text)
  if (!Number.isSafeInteger(number) || number < 1) throw new InvalidArgumentError('must be a whole number from 1 on.')
  return number
}

function format(text: string): string {
  if (text !== 'text' && text !== 'json') throw new InvalidArgumentError('must be text or json.')
  return text
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

function progress(line: string): void {
  process.stderr.write(`${line}\n`)
}
