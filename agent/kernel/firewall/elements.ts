/** The short way for what changes with every pod and every node: without starting nft. */

import { ipv4, parseIpv4 } from '@network/base/net/ipv4.ts'
import { reasonOf } from '@network/base/run/fault.ts'
import type { Log } from '@network/base/run/log.ts'
import { type ElementChange, type RulesetChange, SetElements } from '@network/netlink/set-elements.ts'
import type { ChainChange } from '@network/netlink/source-chain.ts'
import { type Elements, POD_CHAINS, POD_PRIORITY, setNames, TABLE_NAME } from './ruleset.ts'
import { podChanges } from './transaction.ts'

export interface ElementWriter {
  /** True when all were carried out and are seen to be so; false: nothing is known, go the long way. */
  change(changes: readonly RulesetChange[]): boolean
  /** By which the kernel names it in its news. */
  readonly port: number | undefined
}

/** Of this network namespace; one that always says no where the kernel has no nftables. */
export function systemElements(log: Log): ElementWriter & Disposable {
  try {
    return SetElements.open(TABLE_NAME)
  } catch (reason) {
    log.warn('nftables cannot be spoken with', { why: reasonOf(reason) })
    return { change: () => false, port: undefined, [Symbol.dispose]: () => undefined }
  }
}

/** What leads from one to the other; undefined where that is not about single elements and chains of pods. */
export function changesBetween(from: Elements, to: Elements): readonly RulesetChange[] | undefined {
  const changes = setNames().flatMap(set => [
    ...[...from[set]].filter(element => !to[set].has(element)).map(element => changeOf(set, 'delete', element)),
    ...[...to[set]].filter(element => !from[set].has(element)).map(element => changeOf(set, 'add', element)),
  ])
  const known = changes.filter(change => change !== undefined)
  return known.length === changes.length ? [...known, ...chainChanges(from, to)] : undefined
}

function chainChanges(from: Elements, to: Elements): readonly ChainChange[] {
  const form = { table: TABLE_NAME, priority: POD_PRIORITY, goTo: POD_CHAINS } as const
  const { gone, come, changed } = podChanges(from, to)
  const rulesOf = (verb: 'add' | 'change', pods: typeof come) =>
    pods.map(([chain, texts]): ChainChange => ({ ...form, chain, verb, sources: texts.map(ipv4) }))
  return [
    ...gone.map((chain): ChainChange => ({ ...form, chain, verb: 'delete', sources: [] })),
    ...rulesOf('change', changed),
    ...rulesOf('add', come),
  ]
}

/** Undefined for ranges, which consist of two elements each. */
function changeOf(set: string, verb: ElementChange['verb'], element: string): ElementChange | undefined {
  if (element.includes('/')) return undefined
  const address = parseIpv4(element)
  return { set, verb, key: [address === undefined ? { is: 'interface', name: element } : { is: 'address', address }] }
}
