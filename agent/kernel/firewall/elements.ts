/** The short way for what changes with every pod: elements of sets, without starting nft. */

import { parseIpv4 } from '@network/base/net/ipv4.ts'
import { reasonOf } from '@network/base/run/fault.ts'
import type { Log } from '@network/base/run/log.ts'
import { type ElementChange, type KeyField, SetElements } from '@network/netlink/set-elements.ts'
import { type Elements, OUR_TABLE, setNames } from './ruleset.ts'

export interface ElementWriter {
  /** True when all were carried out and are seen to be so; false: nothing is known, go the long way. */
  change(changes: readonly ElementChange[]): boolean
  /** By which the kernel names it in its news. */
  readonly port: number | undefined
}

/** Of this network namespace; one that always says no where the kernel has no nftables. */
export function systemElements(log: Log): ElementWriter & Disposable {
  try {
    return SetElements.open(OUR_TABLE.name)
  } catch (reason) {
    log.warn('nftables cannot be spoken with', { why: reasonOf(reason) })
    return { change: () => false, port: undefined, [Symbol.dispose]: () => undefined }
  }
}

/** What leads from one to the other; undefined where that is not about single elements. */
export function changesBetween(from: Elements, to: Elements): readonly ElementChange[] | undefined {
  const changes = setNames().flatMap(set => [
    ...[...from[set]].filter(element => !to[set].has(element)).map(element => changeOf(set, 'delete', element)),
    ...[...to[set]].filter(element => !from[set].has(element)).map(element => changeOf(set, 'add', element)),
  ])
  const known = changes.filter(change => change !== undefined)
  return known.length === changes.length ? known : undefined
}

/** Undefined for ranges, which consist of two elements each, and for ports. */
function changeOf(set: string, verb: ElementChange['verb'], element: string): ElementChange | undefined {
  if (element.includes('/') || /^\d+$/.test(element)) return undefined
  return { set, verb, key: element.split(' ').map(fieldOf) }
}

function fieldOf(text: string): KeyField {
  // What is no address at the first glance is not tried: there is one name for each pod.
  const address = /^\d/.test(text) ? parseIpv4(text) : undefined
  return address === undefined ? { is: 'interface', name: text } : { is: 'address', address }
}
