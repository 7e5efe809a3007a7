/** Seeded damage to messages and sessions, a bounded number; more by npm run fuzz:bgp. */
import { test } from 'node:test'
import { fuzzOnce } from './testing/fuzz.ts'

/** Seeds that found something once, each with what it was. */
const FOUND: readonly { readonly seed: number; readonly what: string }[] = []

for (const { seed, what } of FOUND) test(`seed ${seed}: ${what}`, () => fuzzOnce(seed))

test('four hundred seeds', async () => {
  for (let seed = 1; seed <= 400; seed++) await fuzzOnce(seed)
})
