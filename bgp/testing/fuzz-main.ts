/** npm run fuzz:bgp -- [seconds] [first seed]: seeds one after another until the time is up; a seed that fails is named and ends it. */
import { systemClock, systemRandom } from '@network/base/time/clock.ts'
import { between, millis } from '@network/base/time/units.ts'
import { fuzzOnce } from './fuzz.ts'

const [secondsText = '60', seedText] = process.argv.slice(2)
const began = systemClock.now()
const first = seedText === undefined ? Math.floor(systemRandom() * 2 ** 31) : Number(seedText)
let seed = first
for (; between(began, systemClock.now()) < millis(Number(secondsText) * 1000); seed++) {
  const from = systemClock.now()
  try {
    await fuzzOnce(seed)
  } catch (reason) {
    process.stderr.write(`seed ${seed} fails; keep it in bgp/fuzz.test.ts\n`)
    throw reason
  }
  const took = between(from, systemClock.now())
  if (took > 2000) throw new Error(`seed ${seed} took ${Math.round(took)} ms; keep it in bgp/fuzz.test.ts`)
}
process.stdout.write(`seeds ${first} to ${seed - 1}: nothing found\n`)
