/** The one transaction that makes our tables as they should be, whatever they are now. Pure. */

import { type Found, isRight, type Totals } from './found.ts'
import type { Json, Objects } from './nft.ts'
import {
  type Chain,
  COUNTERS,
  COUNTS,
  chainsOf,
  type Elements,
  FAMILIES,
  type Family,
  POD_PRIORITY,
  podRules,
  podsOf,
  SETS,
  type SetName,
  type Shape,
  setNames,
  TABLE_NAME,
} from './ruleset.ts'

interface Circumstances {
  readonly shape: Shape
  readonly counted: Totals
}

/** The commands that lead from what was found to what is wanted, in one transaction; none where it is so already. The counts of tables that are gone go on from `counted`. */
export function transactionFor(wanted: Elements, found: Found | undefined, { shape, counted }: Circumstances): Objects {
  if (found === undefined) return creation(wanted, { shape, counted })
  if (!isRight(found)) return [...deletion(), ...creation(wanted, { shape, counted: found.dropped })]
  const sets = setNames().flatMap(name => {
    const lacking = [...wanted[name]].filter(element => !found.elements[name].has(element))
    const left = [...found.elements[name]].filter(element => !wanted[name].has(element))
    return [...elementCommand('add', name, lacking), ...elementCommand('delete', name, left)]
  })
  const { gone, come, changed } = podChanges(found.elements, wanted)
  return [
    ...sets,
    ...gone.map(name => ({ delete: { chain: within('netdev', { name }) } })),
    ...changed.flatMap(([name, addresses]) => [
      { flush: { chain: within('netdev', { name }) } },
      ...ruleCommands(name, addresses),
    ]),
    ...come.flatMap(podCommands),
  ]
}

type Pod = readonly [device: string, addresses: readonly string[]]

/** Interfaces whose chains must go, come, or have other rules. */
export function podChanges(
  from: Elements,
  to: Elements,
): { readonly gone: readonly string[]; readonly come: readonly Pod[]; readonly changed: readonly Pod[] } {
  const [former, wanted] = [podsOf(from), podsOf(to)]
  return {
    gone: [...former.keys()].filter(device => !wanted.has(device)),
    come: [...wanted].filter(([device]) => !former.has(device)),
    changed: [...wanted].filter(([device, addresses]) => former.has(device) && former.get(device)?.join() !== addresses.join()),
  }
}

/** Deletes the tables with all that is in them; also where there are none. */
export function deletion(): Objects {
  return FAMILIES.flatMap(family => [tableCommand('add', family), tableCommand('delete', family)])
}

/** The counts go on where a table is made anew. */
function creation(wanted: Elements, { shape, counted }: Circumstances): Objects {
  const chains = chainsOf(shape)
  return [
    ...FAMILIES.flatMap(family => [tableCommand('add', family), ...counters(family, counted)]),
    ...setNames().map(name => add('set', 'inet', { name, ...setFields(name) })),
    ...chains.map(({ family, name, base }) => add('chain', family, { name, ...baseFields(base) })),
    ...chains.flatMap(({ family, name, rules }) => rules.map(expr => add('rule', family, { chain: name, expr }))),
    ...setNames().flatMap(name => elementCommand('add', name, [...wanted[name]])),
    ...[...podsOf(wanted)].flatMap(podCommands),
  ]
}

/** All counts go on in the table that has all counters. */
function counters(family: Family, counted: Totals): Objects {
  return COUNTS[family].map(count =>
    add('counter', family, { name: COUNTERS[count], packets: family === 'netdev' ? counted[count] : 0, bytes: 0 }),
  )
}

function podCommands([device, addresses]: Pod): Objects {
  const base = { type: 'filter', hook: 'ingress', dev: device, prio: POD_PRIORITY, policy: 'accept' }
  return [add('chain', 'netdev', { name: device, ...base }), ...ruleCommands(device, addresses)]
}

function ruleCommands(device: string, addresses: readonly string[]): Objects {
  return podRules(addresses).map(expr => add('rule', 'netdev', { chain: device, expr }))
}

function baseFields(base: Chain['base']): Json {
  return base === undefined ? {} : { type: base.type, hook: base.hook, prio: base.priority, policy: 'accept' }
}

function setFields(name: SetName): Json {
  const { type, flags } = SETS[name]
  return flags === undefined ? { type } : { type, flags }
}

function tableCommand(verb: 'add' | 'delete', family: Family): Json {
  return { [verb]: { table: { family, name: TABLE_NAME } } }
}

function add(kind: string, family: Family, fields: Json): Json {
  return { add: { [kind]: within(family, fields) } }
}

function within(family: Family, fields: Json): Json {
  return { family, table: TABLE_NAME, ...fields }
}

function elementCommand(verb: 'add' | 'delete', name: SetName, elements: readonly string[]): Objects {
  if (elements.length === 0) return []
  return [{ [verb]: { element: within('inet', { name, elem: elements.map(jsonOf) }) } }]
}

function jsonOf(element: string): unknown {
  const [address = '', length] = element.split('/')
  return length === undefined ? element : { prefix: { addr: address, len: Number(length) } }
}
