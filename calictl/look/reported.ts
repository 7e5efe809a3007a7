/** What agents wrote of themselves into the store: how nodes are seen from machines that have no socket of theirs. */

import { byNature } from '@network/base/text/natural.ts'
import { sleep } from '@network/base/time/clock.ts'
import { millis } from '@network/base/time/units.ts'
import { listOf } from '@network/datastore/records.ts'
import { NODE_STATUS, type NodeStatus } from '@network/model/resources/node-status.ts'
import type { PeerStatus } from '@network/model/status.ts'
import { type Ailment, isUp } from '../ailments.ts'
import type { Context } from '../context.ts'
import { mustTell, type Told } from '../survey.ts'

/** A store that is away must not keep anybody who asks how the agents are. */
const PATIENCE = millis(2000)

export interface Reported {
  readonly node: string
  /** RFC 3339. */
  readonly at: string
  readonly state: string
  readonly version: string
  readonly problems: readonly string[]
  readonly peers: readonly PeerStatus[]
}

export interface Hearing {
  /** Undefined where there are only reports. */
  readonly heard: Told | undefined
  /** Of nodes that have no socket here; one whose socket is silent is not as it last said. */
  readonly elsewhere: readonly Reported[]
}

/** Agents here, and reports of nodes elsewhere; a fault where there is neither. */
export async function hear(context: Context, node: string | undefined): Promise<Hearing> {
  const reports = (await readReported(context)).filter(one => node === undefined || one.node === node)
  try {
    const heard = await mustTell(context, node)
    const { answers, silences } = heard.survey
    const here = new Set([...answers, ...silences].map(one => one.node))
    return { heard, elsewhere: reports.filter(one => !here.has(one.node)) }
  } catch (reason) {
    const { silences } = await context.agents.survey(context.signal)
    const silent = new Set(silences.map(one => one.node))
    const elsewhere = reports.filter(one => !silent.has(one.node))
    if (elsewhere.length === 0) throw reason
    return { heard: undefined, elsewhere }
  }
}

/** The newest report of each node, in the order of their names; empty where the store does not answer soon. */
async function readReported(context: Context): Promise<readonly Reported[]> {
  const over = new AbortController()
  const signal = AbortSignal.any([context.signal, over.signal])
  const reading = context
    .store()
    .then(store => listOf(store, NODE_STATUS, { signal }))
    .then(({ read }) => read.flatMap(({ value }) => reportedIn(value) ?? []))
    .catch((): readonly Reported[] => [])
  const late = sleep(context.clock, PATIENCE, signal).then(
    (): readonly Reported[] => [],
    (): readonly Reported[] => [],
  )
  const found = await Promise.race([reading, late])
  over.abort()
  const newest = Map.groupBy(found, ({ node }) => node)
  return [...newest.values()].flatMap(of => of.toSorted((a, b) => b.at.localeCompare(a.at)).slice(0, 1)).sort(byNode)
}

function byNode(a: Reported, b: Reported): number {
  return byNature(a.node, b.node)
}

/** What an agent that cannot be asked from here said was wrong. */
export function reportedAilments({ node, state, problems, peers }: Reported): readonly Ailment[] {
  const unready = state === '' || state === 'Ready' || problems.length > 0 ? [] : [`its agent reported ${state}`]
  const down = peers
    .filter(peer => !isUp(peer))
    .map(peer => `session with ${peer.name} (${peer.address}) was down: ${peer.state}`)
  return [...unready, ...problems, ...down].map(says => ({ node, says }))
}

function reportedIn({ spec, status }: NodeStatus): Reported | undefined {
  if (status === undefined) return undefined
  return {
    node: spec.node,
    at: status.lastUpdated,
    state: status.agent?.state ?? '',
    version: status.agent?.version ?? '',
    problems: status.agent?.problems ?? [],
    peers: (status.bgp?.peersV4 ?? []).map(({ peerIP, name, type, state, since, lastError }) => ({
      address: peerIP,
      name: name ?? peerIP,
      asn: 0,
      type: type === 'NodeMesh' ? ('mesh' as const) : ('configured' as const),
      state,
      since,
      received: 0,
      accepted: 0,
      advertised: 0,
      stale: 0,
      flaps: 0,
      lastError: lastError ?? null,
    })),
  }
}
