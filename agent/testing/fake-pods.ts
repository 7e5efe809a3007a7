/** Pods' wiring and a journal in memory: what outlives an agent, without a kernel. */

import { formatIpv4, type Ipv4 } from '@network/base/net/ipv4.ts'
import { Fault } from '@network/base/run/fault.ts'
import type { LedgerLine, LedgerPaper } from '../away/ledger.ts'
import type { Wired } from '../workload/inspect.ts'
import type { Journal } from '../workload/journal.ts'
import { addressHandle } from '../workload/names.ts'
import type { PodInterface } from '../workload/request.ts'
import type { PodWiring, Wiring } from '../workload/wire.ts'

interface Pair {
  readonly netns: string
  readonly podInterface: string
  /** Undefined until the pod's side is settled. */
  readonly address: Ipv4 | undefined
}

/** Takes part in every step that changes something; may throw before the step is done, or after it. */
export type Step = (label: string, act: () => void) => void

const plainly: Step = (_, act) => act()

export const FAKE_MAC = '02:00:00:00:00:01'

export class FakePods {
  /** Veth pairs by their host side; a stranger may lay his own here. */
  readonly pairs = new Map<string, Pair>()
  readonly lines = new Map<string, PodInterface>()
  /** Of the ledger. */
  readonly written: LedgerLine[] = []
  /** Paths that are no network namespaces. */
  readonly missing = new Set<string>()
  /** What `inspect` finds wrong besides. */
  readonly meddled: string[] = []

  wiring(step: Step = plainly): PodWiring {
    return {
      probe: netns => this.#probe(netns),
      wire: wiring => this.#wire(wiring, step),
      unwire: name => step(`unwire ${name}`, () => this.pairs.delete(name)),
      inspect: wired => this.#inspect(wired),
    }
  }

  journal(step: Step = plainly): Journal {
    return {
      begin: pod => step('begin', () => this.lines.set(addressHandle(pod), pod)),
      finish: pod => step('finish', () => this.lines.delete(addressHandle(pod))),
      isOpen: pod => this.lines.has(addressHandle(pod)),
      unfinished: () => [...this.lines.values()],
    }
  }

  paper(step: Step = plainly): LedgerPaper {
    const { written } = this
    return {
      isReady: true,
      read: () => [...written],
      append: lines => step('write the ledger', () => void written.push(...lines)),
      rewrite: lines => step('write the ledger anew', () => void written.splice(0, written.length, ...lines)),
    }
  }

  #probe(netns: string): void {
    if (this.missing.has(netns))
      throw new Fault('sys.namespace', { doing: 'open network namespace', on: netns, says: 'no such file', errno: 'ENOENT' })
  }

  /** Not all at once: the pair is there before the pod's side is settled. */
  #wire({ netns, hostInterface, podInterface, address }: Wiring, step: Step): string {
    this.#probe(netns)
    step(`add ${hostInterface}`, () => this.pairs.set(hostInterface, { netns, podInterface, address: undefined }))
    step(`settle ${hostInterface}`, () => this.pairs.set(hostInterface, { netns, podInterface, address }))
    return FAKE_MAC
  }

  #inspect({ hostInterface, netns, addresses }: Wired): readonly string[] {
    const pair = this.pairs.get(hostInterface)
    const isWired = pair?.netns === netns && pair.address !== undefined && addresses.includes(pair.address)
    return [...(isWired ? [] : [`${hostInterface} does not lead to ${addresses.map(formatIpv4)} in ${netns}`]), ...this.meddled]
  }
}
