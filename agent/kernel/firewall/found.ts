/** Our table as nft lists it, and how that differs from what it should be. Pure. */

import { isDeepStrictEqual } from 'node:util'
import { isRecord } from '@network/model/resources/kind.ts'
import type { Json, Objects } from './nft.ts'
import { type Chain, COUNTERS, chainsOf, type Elements, type Forms, OUR_FORMS, SETS, type SetName, setNames } from './ruleset.ts'

/** Packets. */
export interface Totals {
  readonly forgedIpip: number
  readonly forgedVxlan: number
  readonly spoofedSource: number
}

export interface Found {
  /** What is missing, changed or too much besides the sets' elements, a few words each; empty when all is right. */
  readonly wrongs: readonly string[]
  readonly elements: Elements
  readonly dropped: Totals
}

/** Whether the table marks packets for other people's chains, whatever else is amiss with it. */
export function marksIn(objects: Objects): boolean {
  const names = new Set(chainsOf(true).flatMap(({ name, marks }) => (marks === true ? [name] : [])))
  return ofKind(objects, 'chain').some(({ name }) => names.has(String(name)))
}

export function isRight({ wrongs }: Found): boolean {
  return wrongs.length === 0
}

/** Reads `list table inet cali`, which is to mark packets or not; `forms` are how this nft prints our rules. */
export function foundIn(objects: Objects, marking: boolean, forms: Forms = OUR_FORMS): Found {
  const sets = ofKind(objects, 'set')
  return {
    wrongs: [
      ...tableWrongs(objects),
      ...chainWrongs(objects, chainsOf(marking), forms),
      ...setWrongs(sets),
      ...counterWrongs(objects),
      ...strangers(objects),
    ],
    elements: {
      nodes: elementsIn(sets, 'nodes'),
      peers: elementsIn(sets, 'peers'),
      sources: elementsIn(sets, 'sources'),
      pools: elementsIn(sets, 'pools'),
      'nat-pools': elementsIn(sets, 'nat-pools'),
      'tunnel-ports': elementsIn(sets, 'tunnel-ports'),
      tunnels: elementsIn(sets, 'tunnels'),
    },
    dropped: {
      forgedIpip: packetsOf(objects, COUNTERS.forgedIpip),
      forgedVxlan: packetsOf(objects, COUNTERS.forgedVxlan),
      spoofedSource: packetsOf(objects, COUNTERS.spoofedSource),
    },
  }
}

/** Our rules as they are printed here, to be read right after they were written; undefined when they cannot be those. */
export function formsAfterWriting(objects: Objects, marking: boolean): Forms | undefined {
  const forms = formsIn(objects)
  return chainsOf(marking).every(({ name, rules }) => forms.get(name)?.length === rules.length) ? forms : undefined
}

function formsIn(objects: Objects): Forms {
  const forms = new Map<string, unknown[]>()
  for (const { chain, expr } of ofKind(objects, 'rule')) forms.set(String(chain), [...(forms.get(String(chain)) ?? []), expr])
  return forms
}

/** What a stranger did since these elements were in force. */
export function meddlingWith(settled: Elements, found: Found | undefined): string[] {
  if (found === undefined) return ['missing']
  const changed = setNames().flatMap(name => {
    const lacking = [...settled[name]].filter(element => !found.elements[name].has(element))
    const more = [...found.elements[name]].filter(element => !settled[name].has(element))
    return [
      ...(lacking.length === 0 ? [] : [`set ${name} without ${lacking.join(', ')}`]),
      ...(more.length === 0 ? [] : [`set ${name} with ${more.join(', ')}`]),
    ]
  })
  return [...found.wrongs, ...changed]
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
    ...chains.flatMap(({ name }) => (known.has(String(name)) ? [] : [`chain ${String(name)} added`])),
  ]
}

function sameBase({ base }: Chain, { type, hook, prio, policy }: Json): boolean {
  if (base === undefined) return hook === undefined
  return type === base.type && hook === base.hook && prio === base.priority && policy === 'accept'
}

function setWrongs(sets: readonly Json[]): string[] {
  const names: readonly string[] = setNames()
  return [
    ...setNames().flatMap(name => {
      const have = sets.find(set => set['name'] === name)
      if (have === undefined) return [`set ${name} missing`]
      const { type, flags } = SETS[name]
      return isDeepStrictEqual([have['type'], have['flags']], [type, flags]) ? [] : [`set ${name} of another type`]
    }),
    ...sets.flatMap(({ name }) => (names.includes(String(name)) ? [] : [`set ${String(name)} added`])),
  ]
}

function counterWrongs(objects: Objects): string[] {
  const names = new Set(ofKind(objects, 'counter').map(({ name }) => name))
  return Object.values(COUNTERS).flatMap(name => (names.has(name) ? [] : [`counter ${name} missing`]))
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

function packetsOf(objects: Objects, name: string): number {
  const packets = ofKind(objects, 'counter').find(counter => counter['name'] === name)?.['packets']
  return typeof packets === 'number' ? packets : 0
}

/** The objects of one kind, unwrapped. */
export function ofKind(objects: Objects, kind: string): Json[] {
  return objects.flatMap(object => {
    const inner = object[kind]
    return isRecord(inner) ? [inner] : []
  })
}
