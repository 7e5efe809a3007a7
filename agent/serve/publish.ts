/** The agent's status as a document in the datastore, where everybody can read it: written when it changed, and not often. */

import { Fault, reasonOf } from '@network/base/run/fault.ts'
import type { Log } from '@network/base/run/log.ts'
import { type Clock, sleep } from '@network/base/time/clock.ts'
import { millis, seconds } from '@network/base/time/units.ts'
import type { Datastore } from '@network/datastore/port.ts'
import { metadataOf } from '@network/model/resources/kind.ts'
import { NODE_STATUS, type NodeStatus } from '@network/model/resources/node-status.ts'
import type { AgentStatus, PeerStatus } from '@network/model/status.ts'

const PERIOD_SECONDS = 5
const PACE = millis(PERIOD_SECONDS * 1000)
/** With a datastore that has leases, the document goes so long after its agent. */
const LIFE = seconds(30)
/** Of a large mesh only the sessions that are not up are listed: else all nodes' documents would grow with the square of their number. */
const MOST_PEERS = 200

export interface PublishOptions {
  readonly node: string
  readonly store: Datastore
  readonly status: () => Promise<AgentStatus>
  /** False while the Node is not there, or not ours: the name may be another machine's. */
  readonly isThere: () => boolean
  readonly clock: Clock
  readonly log: Log
}

/** Publishes until the signal aborts, while there is such a node; what the datastore does in between is only logged. */
export async function publishStatus(options: PublishOptions, signal: AbortSignal): Promise<void> {
  const { isThere, clock } = options
  while (!signal.aborted) {
    if (isThere()) await publishWhileThere(options, signal)
    await sleep(clock, PACE, signal).catch(() => undefined)
  }
}

async function publishWhileThere(options: PublishOptions, outer: AbortSignal): Promise<void> {
  const { store, status, isThere, clock } = options
  const ending = new AbortController()
  const signal = AbortSignal.any([outer, ending.signal])
  const page = new Page(clock)
  page.turn(await status())
  const key = NODE_STATUS.keyOf(page.value)
  const living = store.whileAlive?.(key, () => page.document, { signal, ttl: LIFE })
  let written: unknown
  while (!signal.aborted && isThere()) {
    page.turn(await status())
    if (living === undefined && written !== page.document && (await isWritten(options, key, page.document, signal)))
      written = page.document
    await sleep(clock, PACE, signal).catch(() => undefined)
  }
  ending.abort()
  await living
}

async function isWritten(
  { store, node, log }: PublishOptions,
  key: string,
  document: unknown,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await write(store, key, document, signal)
    return true
  } catch (reason) {
    if (!signal.aborted && !(reason instanceof Fault)) throw reason
    log.debug('status could not be published; tried again soon', { node, why: reasonOf(reason) })
    return false
  }
}

async function write(store: Datastore, key: string, document: unknown, signal: AbortSignal): Promise<void> {
  const present = await store.get(key, { signal })
  if (present === undefined) await store.create(key, document, { signal })
  else await store.update(key, document, present.revision, { signal })
}

/** The last document, the same object until something in it changed. */
class Page {
  readonly #clock: Clock
  #text = ''
  #value: NodeStatus | undefined
  #document: unknown

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get value(): NodeStatus {
    if (this.#value === undefined) throw new TypeError('nothing was written on the page yet')
    return this.#value
  }

  get document(): unknown {
    return this.#document
  }

  turn(status: AgentStatus): void {
    const text = JSON.stringify(NODE_STATUS.print(nodeStatusOf(status, '')))
    if (text === this.#text) return
    this.#text = text
    this.#value = nodeStatusOf(status, this.#clock.wall().toISOString())
    this.#document = NODE_STATUS.print(this.#value)
  }
}

/** Pure. */
export function nodeStatusOf(status: AgentStatus, lastUpdated: string): NodeStatus {
  const { node, version, startedAt, problems, bgp } = status
  const up = bgp.peers.filter(({ state }) => state === 'established').length
  const listed = bgp.peers.length <= MOST_PEERS ? bgp.peers : bgp.peers.filter(({ state }) => state !== 'established')
  return {
    metadata: metadataOf(node),
    spec: { node, classes: ['Agent', 'BGP'], updatePeriodSeconds: PERIOD_SECONDS },
    status: {
      lastUpdated,
      agent: { state: stateOf(status), version, startedAt, problems: problems.filter(problem => problem !== '') },
      bgp: {
        routerID: bgp.routerId,
        numberEstablishedV4: up,
        numberNotEstablishedV4: bgp.peers.length - up,
        settled: bgp.settled,
        peersV4: listed.slice(0, MOST_PEERS).map(peerOf),
      },
      routes: undefined,
    },
  }
}

function stateOf({ datastore, converged }: AgentStatus): 'Ready' | 'NotReady' | 'Stale' {
  if (datastore.state === 'stale') return 'Stale'
  return datastore.state === 'in-sync' && converged ? 'Ready' : 'NotReady'
}

function peerOf({ address, name, type, state, since, lastError }: PeerStatus) {
  return {
    ...{ peerIP: address, name, state, since },
    type: type === 'mesh' ? ('NodeMesh' as const) : ('NodePeer' as const),
    lastError: lastError ?? undefined,
  }
}
