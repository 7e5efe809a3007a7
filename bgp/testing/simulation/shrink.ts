/** Makes a failing scenario smaller while it still fails: fewer faults. */
import type { Fault, Scenario } from './faults.ts'

/** `fails` must be the same function of the scenario each time. The result fails, and none of its faults can be left out. */
export async function shrink(scenario: Scenario, fails: (smaller: Scenario) => Promise<boolean>): Promise<Scenario> {
  let faults = scenario.faults
  for (let size = Math.ceil(faults.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < faults.length; ) {
      const fewer = [...faults.slice(0, at), ...faults.slice(at + size)]
      if (await fails({ ...scenario, faults: fewer })) faults = fewer
      else at += size
    }
  }
  return { ...scenario, faults }
}

/** One fault in words. */
export function describeFault(fault: Fault): string {
  const { at, until, is, ...rest } = fault
  const where = Object.entries(rest).map(([name, value]) => `${name} ${Array.isArray(value) ? value.join(',') : value}`)
  const end = Number.isFinite(until) ? `${until / 1000} s` : 'the end'
  return `${at / 1000} s to ${end}: ${is}, ${where.join(', ')}`
}
