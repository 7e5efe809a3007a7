/** Our tables as nft lists them, and how that differs from what they should be. Pure. */

import { isDeepStrictEqual } from 'node:util'
import { isRecord } from '@network/model/resources/kind.ts'
import type { Json, Objects } from './nft.ts'
import {
  type Chain,
  COUNTERS,
  COUNTS,
  type Count,
  chainsOf,
  type Elements,
  FAMILIES,
  type Family,
  type Forms,
  formsOf,
  MARKING_CHAIN,
  NATTING_CHAIN,
  POD_INTERFACE,
  POD_PRIORITY,
  podRules,
  SETS,
  type SetName,
  type Shape,
  setNames,
} from './ruleset.ts'

/** Packets. */
export type Totals = Readonly<Record<Count, number>>

/** What is not as it should be in one of the tables, a few words each. */
export interface Wrong {
  readonly family: Family
  readonly says: string
}

export interface Found {
  /** Besides elements; empty when all is right. */
  readonly wrongs: readonly Wrong[]
  readonly elements: Elements
  readonly dropped: Totals
}

/** What of the shape shows in tables that an agent before us left. */
export function shapeIn(objects: Objects): Pick<Shape, 'marking' | 'natting'> {
  const names = new Set(ofKind(within(objects, 'inet'), 'chain').map(({ name }) => name))
  return { marking: names.has(MARKING_CHAIN), natting: names.has(NATTING_CHAIN) }
}

export function isRight({ wrongs }: Found): boolean {
  return wrongs.length === 0
}

/** Reads what `list table` prints of both tables; `forms` are how this nft prints our rules. */
export function foundIn(objects: Objects, shape: Shape, forms: Forms = formsOf(shape)): Found {
  const [node, pods] = [within(objects, 'inet'), within(objects, 'netdev')]
  const sets = ofKind(node, 'set')
  const { sources, wrongs } = podsIn(pods, forms)
  return {
    wrongs: [
      ...FAMILIES.flatMap(family => wrongsOf(family, within(objects, family), { shape, forms })),
      ...wrongs.map((says): Wrong => ({ family: 'netdev', says })),
    ],
    elements: {
      nodes: elementsIn(sets, 'nodes'),
      peers: elementsIn(sets, 'peers'),
      pools: elementsIn(sets, 'pools'),
      'nat-pools': elementsIn(sets, 'nat-pools'),
      tunnels: elementsIn(sets, 'tunnels'),
      sources,
    },
    dropped: {
      forgedIpip: packetsOf(objects, COUNTERS.forgedIpip),
      forgedVxlan: packetsOf(objects, COUNTERS.forgedVxlan),
      spoofedSource: packetsOf(objects, COUNTERS.spoofedSource),
    },
  }
}

/** Our rules as they are printed here, to be read right after they were written; undefined when they cannot be those. */
export function formsAfterWriting(objects: Objects, shape: Shape): Forms | undefined {
  const forms = formsIn(objects)
  if (!chainsOf(shape).every(({ name, rules }) => forms.get(name)?.length === rules.length)) return undefined
  const [pod] = [...forms].flatMap(([name, rules]) => (POD_INTERFACE.test(name) && rules.length > 1 ? [rules] : []))
  const form = pod === undefined ? OUR_POD_FORM : [...new Set(pod.map(rule => nameless(JSON.stringify(rule))))]
  return new Map([...forms, [POD_FORM, form]])
}

function formsIn(objects: Objects): Forms {
  const forms = new Map<string, unknown[]>()
  for (const { chain, expr } of ofKind(objects, 'rule')) {
    const former = forms.get(String(chain))
    if (former === undefined) forms.set(String(chain), [expr])
    else former.push(expr)
  }
  return forms
}

/** What a stranger did since these elements were in force. */
export function meddlingWith(settled: Elements, found: Found | undefined): Wrong[] {
  if (found === undefined) return FAMILIES.map(family => ({ family, says: 'missing' }))
  const changed = setNames().flatMap(name => differences(`set ${name}`, settled[name], found.elements[name]))
  const pods = differences('pods', settled.sources, found.elements.sources)
  return [
    ...found.wrongs,
    ...changed.map((says): Wrong => ({ family: 'inet', says })),
    ...(found.wrongs.some(({ family }) => family === 'netdev') ? [] : pods).map((says): Wrong => ({ family: 'netdev', says })),
  ]
}

function differences(of: string, wanted: ReadonlySet<string>, have: ReadonlySet<string>): string[] {
  const lacking = [...wanted].filter(element => !have.has(element))
  const more = [...have].filter(element => !wanted.has(element))
  return [
    ...(lacking.length === 0 ? [] : [`${of} without ${lacking.join(', ')}`]),
    ...(more.length === 0 ? [] : [`${of} with ${more.join(', ')}`]),
  ]
}

function within(objects: Objects, family: Family): Objects {
  return objects.filter(object => Object.values(object).some(inner => isRecord(inner) && inner['family'] === family))
}

interface Expected {
  readonly shape: Shape
  readonly forms: Forms
}

function wrongsOf(family: Family, objects: Objects, { shape, forms }: Expected): Wrong[] {
  const wanted = chainsOf(shape).filter(chain => chain.family === family)
  const says =
    ofKind(objects, 'table').length === 0
      ? ['missing']
      : [
          ...tableWrongs(objects),
          ...chainWrongs(objects, wanted, forms),
          ...setWrongs(ofKind(objects, 'set'), family === 'inet' ? setNames() : []),
          ...counterWrongs(objects, family),
          ...strangers(objects),
        ]
  return says.map(each => ({ family, says: each }))
}

/** The chains of pods, one an interface. */
function podsIn(objects: Objects, forms: Forms): { readonly sources: ReadonlySet<string>; readonly wrongs: readonly string[] } {
  const sources = new Set<string>()
  const wrongs: string[] = []
  const printed = formsIn(objects)
  const form = forms.get(POD_FORM) ?? OUR_POD_FORM
  for (const { name, type, hook, dev, prio, policy } of ofKind(objects, 'chain')) {
    const device = String(name)
    if (!POD_INTERFACE.test(device)) continue
    const rules = (printed.get(device) ?? []).map(rule => JSON.stringify(rule))
    const addresses = rules.slice(0, -1).map(addressIn)
    // Older versions of nft print no device.
    const hooked = isDeepStrictEqual([type, hook, [dev ?? device].flat(), prio, policy], podHook(device))
    const right = isDeepStrictEqual([...new Set(rules.map(nameless))], addresses.length === 0 ? form.slice(-1) : form)
    if (!hooked) wrongs.push(`chain ${device} hooked otherwise`)
    else if (!right) wrongs.push(`rules of chain ${device} changed`)
    else
      for (const words of addresses.length === 0 ? [[]] : addresses.map(each => [each])) sources.add([device, ...words].join(' '))
  }
  return { sources, wrongs }
}

function podHook(device: string): unknown {
  return ['filter', 'ingress', [device], POD_PRIORITY, 'accept']
}

/** How the rules of a pod are printed, with a blank for the address: one for each address, and the last. */
const POD_FORM = 'of pods'
const OUR_POD_FORM: readonly unknown[] = podRules(['']).map(rule => JSON.stringify(rule))
const ADDRESS = /\b\d+\.\d+\.\d+\.\d+\b/

function nameless(rule: string): string {
  return rule.replace(ADDRESS, '')
}

function addressIn(rule: string): string {
  return ADDRESS.exec(rule)?.join() ?? ''
}

/** A dormant table is there and does nothing. */
function tableWrongs(objects: Objects): string[] {
  return ofKind(objects, 'table').flatMap(({ flags }) => (flags === undefined ? [] : [`flags ${JSON.stringify(flags)}`]))
}

function chainWrongs(objects: Objects, wanted: readonly Chain[], forms: Forms): string[] {
  const chains = ofKind(objects, 'chain')
  const printed = formsIn(objects)
  const known = new Set(wanted.map(({ name }) => name))
  return [
    ...wanted.flatMap(chain => {
      const have = chains.find(({ name }) => name === chain.name)
      if (have === undefined) return [`chain ${chain.name} missing`]
      if (!sameBase(chain, have)) return [`chain ${chain.name} hooked otherwise`]
      return isDeepStrictEqual(printed.get(chain.name) ?? [], forms.get(chain.name))
        ? []
        : [`rules of chain ${chain.name} changed`]
    }),
    ...chains.flatMap(({ name, family }) =>
      known.has(String(name)) || (family === 'netdev' && POD_INTERFACE.test(String(name))) ? [] : [`chain ${String(name)} added`],
    ),
  ]
}

function sameBase({ base }: Chain, { type, hook, prio, policy }: Json): boolean {
  if (base === undefined) return hook === undefined
  return type === base.type && hook === base.hook && prio === base.priority && policy === 'accept'
}

function setWrongs(sets: readonly Json[], wanted: readonly SetName[]): string[] {
  const names: readonly string[] = wanted
  return [
    ...wanted.flatMap(name => {
      const have = sets.find(set => set['name'] === name)
      if (have === undefined) return [`set ${name} missing`]
      const { type, flags } = SETS[name]
      return isDeepStrictEqual([have['type'], have['flags']], [type, flags]) ? [] : [`set ${name} of another type`]
    }),
    ...sets.flatMap(({ name }) => (names.includes(String(name)) ? [] : [`set ${String(name)} added`])),
  ]
}

function counterWrongs(objects: Objects, family: Family): string[] {
  const names = new Set(ofKind(objects, 'counter').map(({ name }) => name))
  return COUNTS[family].map(count => COUNTERS[count]).flatMap(name => (names.has(name) ? [] : [`counter ${name} missing`]))
}

const OUR_KINDS = new Set(['metainfo', 'table', 'chain', 'rule', 'set', 'counter'])

function strangers(objects: Objects): string[] {
  return objects.flatMap(object => Object.keys(object)).flatMap(kind => (OUR_KINDS.has(kind) ? [] : [`${kind} added`]))
}

function elementsIn(sets: readonly Json[], name: SetName): ReadonlySet<string> {
  const elements = sets.find(set => set['name'] === name)?.['elem']
  // Of ranges nft prints a single address without its length.
  const text = SETS[name].flags === undefined ? elementText : (element: unknown) => asPrefix(elementText(element))
  return new Set(Array.isArray(elements) ? elements.map(text) : [])
}

function asPrefix(text: string): string {
  return text.includes('/') ? text : `${text}/32`
}

/** An element with a comment, a counter or a timeout is wrapped. */
function elementText(element: unknown): string {
  if (!isRecord(element)) return String(element)
  if (isRecord(element['elem'])) return elementText(element['elem']['val'])
  const { prefix } = element
  if (isRecord(prefix)) return `${String(prefix['addr'])}/${String(prefix['len'])}`
  const parts = element['concat']
  return Array.isArray(parts) ? parts.join(' ') : JSON.stringify(element)
}

/** Of both tables. */
function packetsOf(objects: Objects, name: string): number {
  const counts = ofKind(objects, 'counter').filter(counter => counter['name'] === name)
  return counts.reduce((sum, { packets }) => sum + (typeof packets === 'number' ? packets : 0), 0)
}

/** The objects of one kind, unwrapped. */
export function ofKind(objects: Objects, kind: string): Json[] {
  return objects.flatMap(object => {
    const inner = object[kind]
    return isRecord(inner) ? [inner] : []
  })
}
