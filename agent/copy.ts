/** What was last seen of the datastore, in a file: an agent that starts while the datastore is away goes on with that. */

import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { reasonOf } from '@network/base/run/fault.ts'
import type { Log } from '@network/base/run/log.ts'
import type { Cancel, Clock } from '@network/base/time/clock.ts'
import { after, type Instant, millis } from '@network/base/time/units.ts'
import { AGENT_CONFIGURATION } from '@network/model/resources/agent-configuration.ts'
import { BGP_CONFIGURATION } from '@network/model/resources/bgp-configuration.ts'
import { BGP_FILTER } from '@network/model/resources/bgp-filter.ts'
import { BGP_PEER } from '@network/model/resources/bgp-peer.ts'
import { BLOCK_AFFINITY } from '@network/model/resources/block-affinity.ts'
import { IP_POOL } from '@network/model/resources/ip-pool.ts'
import { IP_RESERVATION, IPAM_CONFIGURATION } from '@network/model/resources/ipam.ts'
import { IPAM_BLOCK, type IpamBlock } from '@network/model/resources/ipam-block.ts'
import type { Kind } from '@network/model/resources/kind.ts'
import { NODE } from '@network/model/resources/node.ts'
import { WORKLOAD_ENDPOINT } from '@network/model/resources/workload-endpoint.ts'
import { type Change, type Snapshot, SnapshotBuilder } from '@network/model/snapshot.ts'
import * as v from 'valibot'
import { OwnBlocks } from './away/own-blocks.ts'

/** Raised when an older agent could misunderstand the file, or a newer one miss something in it. */
const VERSION = 2
const FIRST = millis(1_000)
/** Between two writes: the file may be some megabytes. */
const PACE = millis(30_000)

const copySchema = v.object({
  version: v.literal(VERSION),
  /** RFC 3339. */
  at: v.string(),
  datastore: v.string(),
  documents: v.array(v.object({ key: v.string(), document: v.unknown() })),
})

export interface Copied {
  /** RFC 3339: when the datastore said so. */
  readonly at: string
  readonly snapshot: Snapshot
  /** Of this node. */
  readonly blocks: readonly IpamBlock[]
}

export interface CopyOptions {
  /** This node's name. */
  readonly node: string
  readonly path: string
  /** A copy of another datastore is none. */
  readonly datastore: string
  readonly snapshot: () => Snapshot
  readonly blocks: () => readonly IpamBlock[]
  readonly clock: Clock
  readonly log: Log
}

export class ClusterCopy {
  readonly #options: CopyOptions
  #scheduled: Cancel | undefined
  #written: Instant | undefined

  constructor(options: CopyOptions) {
    this.#options = options
  }

  /** The snapshot differs from what was written: it is written again, or soon where that matters. */
  changed(matters = false): void {
    if (this.#scheduled !== undefined && !matters) return
    const { clock } = this.#options
    this.#scheduled?.()
    const next = this.#written === undefined || matters ? after(clock.now(), FIRST) : after(this.#written, PACE)
    this.#scheduled = clock.wakeAt(next, () => this.#write())
  }

  /** Writes what waits. */
  stop(): void {
    if (this.#scheduled === undefined) return
    this.#scheduled()
    this.#write()
  }

  /** Undefined when there is none that can be used; why is logged. */
  read(): Copied | undefined {
    const { path, datastore, node, log } = this.#options
    let text: string
    try {
      text = readFileSync(path, 'utf8')
    } catch {
      return undefined
    }
    const copy = parsed(text)
    if (copy?.datastore !== datastore) {
      log.warn('copy of the datastore cannot be used', {
        path,
        why: copy === undefined ? 'it cannot be read' : 'it is of another',
      })
      return undefined
    }
    const builder = new SnapshotBuilder()
    const blocks = new OwnBlocks(node)
    for (const { key, document } of copy.documents) {
      builder.apply({ key, document })
      blocks.apply({ key, document })
    }
    return { at: copy.at, snapshot: builder.snapshot, blocks: blocks.all }
  }

  #write(): void {
    const { path, datastore, snapshot, blocks, clock, log } = this.#options
    this.#scheduled = undefined
    this.#written = clock.now()
    const documents = documentsOf(snapshot(), blocks())
    const copy = { version: VERSION, at: clock.wall().toISOString(), datastore, documents }
    try {
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(`${path}.new`, JSON.stringify(copy), { mode: 0o600 })
      renameSync(`${path}.new`, path)
    } catch (reason) {
      log.warn('copy of the datastore could not be written', { path, why: reasonOf(reason) })
    }
  }
}

function parsed(text: string): v.InferOutput<typeof copySchema> | undefined {
  try {
    const read = v.safeParse(copySchema, JSON.parse(text))
    return read.success ? read.output : undefined
  } catch {
    return undefined
  }
}

function documentsOf(snapshot: Snapshot, blocks: readonly IpamBlock[]): Change[] {
  const each = <T>(kind: Kind<T>, values: ReadonlyMap<string, T> | readonly T[]) =>
    [...values.values()].map(value => ({ key: kind.keyOf(value), document: kind.print(value) }))
  return [
    ...each(NODE, snapshot.nodes),
    ...each(IP_POOL, snapshot.pools),
    ...each(BLOCK_AFFINITY, snapshot.affinities),
    ...each(WORKLOAD_ENDPOINT, snapshot.workloads),
    ...each(BGP_CONFIGURATION, snapshot.bgpConfigurations),
    ...each(BGP_PEER, snapshot.bgpPeers),
    ...each(BGP_FILTER, snapshot.bgpFilters),
    ...each(AGENT_CONFIGURATION, snapshot.agentConfigurations),
    ...each(IPAM_CONFIGURATION, snapshot.ipamConfigurations),
    ...each(IP_RESERVATION, snapshot.reservations),
    ...each(IPAM_BLOCK, blocks),
  ]
}
