/** The one transaction that makes our table as it should be, whatever it is now. Pure. */

import { type Found, isRight, type Totals } from './found.ts'
import type { Json, Objects } from './nft.ts'
import { type Chain, COUNTERS, chainsOf, type Elements, OUR_TABLE, SETS, type SetName, setNames } from './ruleset.ts'

interface Circumstances {
  /** Whether packets are marked for other people's chains. */
  readonly marking: boolean
  readonly counted: Totals
}

/** The commands that lead from what was found to what is wanted, in one transaction; none where it is so already. The counts of a table that is gone go on from `counted`. */
export function transactionFor(wanted: Elements, found: Found | undefined, { marking, counted }: Circumstances): Objects {
  if (found === undefined) return creation(wanted, { marking, counted })
  if (!isRight(found))
    return [tableCommand('add'), tableCommand('delete'), ...creation(wanted, { marking, counted: found.dropped })]
  return setNames().flatMap(name => {
    const lacking = [...wanted[name]].filter(element => !found.elements[name].has(element))
    const left = [...found.elements[name]].filter(element => !wanted[name].has(element))
    return [...elementCommand('add', name, lacking), ...elementCommand('delete', name, left)]
  })
}

/** Deletes the table with all that is in it; also where there is none. */
export function deletion(): Objects {
  return [tableCommand('add'), tableCommand('delete')]
}

/** The counts go on where a table is made anew. */
function creation(wanted: Elements, { marking, counted: dropped }: Circumstances): Objects {
  const chains = chainsOf(marking)
  return [
    tableCommand('add'),
    add('counter', { name: COUNTERS.forgedIpip, packets: dropped.forgedIpip, bytes: 0 }),
    add('counter', { name: COUNTERS.forgedVxlan, packets: dropped.forgedVxlan, bytes: 0 }),
    add('counter', { name: COUNTERS.spoofedSource, packets: dropped.spoofedSource, bytes: 0 }),
    ...setNames().map(name => add('set', { name, ...setFields(name) })),
    ...chains.map(({ name, base }) => add('chain', { name, ...baseFields(base) })),
    ...chains.flatMap(({ name, rules }) => rules.map(expr => add('rule', { chain: name, expr }))),
    ...setNames().flatMap(name => elementCommand('add', name, [...wanted[name]])),
  ]
}

function baseFields(base: Chain['base']): Json {
  return base === undefined ? {} : { type: base.type, hook: base.hook, prio: base.priority, policy: 'accept' }
}

function setFields(name: SetName): Json {
  const { type, flags } = SETS[name]
  return flags === undefined ? { type } : { type, flags }
}

function tableCommand(verb: 'add' | 'delete'): Json {
  return { [verb]: { table: OUR_TABLE } }
}

function add(kind: string, fields: Json): Json {
  return { add: { [kind]: { family: OUR_TABLE.family, table: OUR_TABLE.name, ...fields } } }
}

function elementCommand(verb: 'add' | 'delete', name: SetName, elements: readonly string[]): Objects {
  if (elements.length === 0) return []
  const elem = elements.map(jsonOf)
  return [{ [verb]: { element: { family: OUR_TABLE.family, table: OUR_TABLE.name, name, elem } } }]
}

function jsonOf(element: string): unknown {
  const [address = '', length] = element.split('/')
  if (length !== undefined) return { prefix: { addr: address, len: Number(length) } }
  if (element.includes(' ')) return { concat: element.split(' ') }
  return /^\d+$/.test(element) ? Number(element) : element
}
