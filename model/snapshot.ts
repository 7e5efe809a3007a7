/** The cluster as this node knows it at one moment: what plans are made from. */

import { formatPrefix } from '@network/base/net/prefix.ts'
import { AGENT_CONFIGURATION, type AgentConfiguration } from './resources/agent-configuration.ts'
import { BGP_CONFIGURATION, type BgpConfiguration } from './resources/bgp-configuration.ts'
import { BGP_FILTER, type BgpFilter } from './resources/bgp-filter.ts'
import { BGP_PEER, type BgpPeer } from './resources/bgp-peer.ts'
import { BLOCK_AFFINITY, type BlockAffinity } from './resources/block-affinity.ts'
import { IP_POOL, type IpPool } from './resources/ip-pool.ts'
import { IP_RESERVATION, IPAM_CONFIGURATION, type IpamConfiguration, type IpReservation } from './resources/ipam.ts'
import { type Kind, keyPrefixOf, type Problem } from './resources/kind.ts'
import { NODE, type Node } from './resources/node.ts'
import { WORKLOAD_ENDPOINT, type WorkloadEndpoint } from './resources/workload-endpoint.ts'

export interface Snapshot {
  /** By name. */
  readonly nodes: ReadonlyMap<string, Node>
  /** By name. */
  readonly pools: ReadonlyMap<string, IpPool>
  /** By block, as text. */
  readonly affinities: ReadonlyMap<string, BlockAffinity>
  /** By datastore key. */
  readonly workloads: ReadonlyMap<string, WorkloadEndpoint>
  /** By name: `default`, `node.<name>`. */
  readonly bgpConfigurations: ReadonlyMap<string, BgpConfiguration>
  /** By name. */
  readonly bgpPeers: ReadonlyMap<string, BgpPeer>
  /** By name. */
  readonly bgpFilters: ReadonlyMap<string, BgpFilter>
  /** By name: `default`, `node.<name>`. */
  readonly agentConfigurations: ReadonlyMap<string, AgentConfiguration>
  /** By name: there is one, `default`. */
  readonly ipamConfigurations: ReadonlyMap<string, IpamConfiguration>
  /** By name. */
  readonly reservations: ReadonlyMap<string, IpReservation>
  /** Documents that could not be read count as absent; why, by datastore key. */
  readonly junk: ReadonlyMap<string, readonly Problem[]>
}

/** A key and its document; undefined means that it is gone. */
export interface Change {
  readonly key: string
  readonly document: unknown
  /** Of the document, where it comes from a datastore. */
  readonly revision?: string
}

/** Collects changes into a snapshot; the only mutable form of it. */
export class SnapshotBuilder {
  readonly #nodes = new Map<string, Node>()
  readonly #pools = new Map<string, IpPool>()
  readonly #affinities = new Map<string, BlockAffinity>()
  readonly #workloads = new Map<string, WorkloadEndpoint>()
  readonly #bgpConfigurations = new Map<string, BgpConfiguration>()
  readonly #bgpPeers = new Map<string, BgpPeer>()
  readonly #bgpFilters = new Map<string, BgpFilter>()
  readonly #agentConfigurations = new Map<string, AgentConfiguration>()
  readonly #ipamConfigurations = new Map<string, IpamConfiguration>()
  readonly #reservations = new Map<string, IpReservation>()
  readonly #junk = new Map<string, readonly Problem[]>()
  readonly #sections = [
    section(NODE, this.#nodes, node => node.name),
    section(IP_POOL, this.#pools, pool => pool.name),
    section(BLOCK_AFFINITY, this.#affinities, affinity => formatPrefix(affinity.block)),
    section(WORKLOAD_ENDPOINT, this.#workloads, WORKLOAD_ENDPOINT.keyOf),
    section(BGP_CONFIGURATION, this.#bgpConfigurations, nameOf),
    section(BGP_PEER, this.#bgpPeers, nameOf),
    section(BGP_FILTER, this.#bgpFilters, nameOf),
    section(AGENT_CONFIGURATION, this.#agentConfigurations, nameOf),
    section(IPAM_CONFIGURATION, this.#ipamConfigurations, nameOf),
    section(IP_RESERVATION, this.#reservations, nameOf),
  ]

  /** Takes one change in; keys of kinds that no plan needs are passed over. Returns the problems of a document that cannot be read. */
  apply(change: Change): readonly Problem[] {
    const home = this.#sections.find(({ prefix }) => change.key.startsWith(prefix))
    if (home === undefined) return []
    this.#junk.delete(change.key)
    const problems = home.apply(change)
    if (problems.length > 0) this.#junk.set(change.key, problems)
    return problems
  }

  /** False for keys that no plan is made from, such as those of address blocks, which change with every pod. */
  concerns(key: string): boolean {
    return this.#sections.some(({ prefix }) => key.startsWith(prefix))
  }

  /** A view of the present state; it moves with later changes, so plan from it at once. */
  get snapshot(): Snapshot {
    return {
      nodes: this.#nodes,
      pools: this.#pools,
      affinities: this.#affinities,
      workloads: this.#workloads,
      bgpConfigurations: this.#bgpConfigurations,
      bgpPeers: this.#bgpPeers,
      bgpFilters: this.#bgpFilters,
      agentConfigurations: this.#agentConfigurations,
      ipamConfigurations: this.#ipamConfigurations,
      reservations: this.#reservations,
      junk: this.#junk,
    }
  }
}

function nameOf({ metadata }: { readonly metadata: { readonly name: string } }): string {
  return metadata.name
}

interface Section {
  readonly prefix: string
  apply(change: Change): readonly Problem[]
}

function section<T>(kind: Kind<T>, into: Map<string, T>, nameOf: (value: T) => string): Section {
  const nameByKey = new Map<string, string>()
  return {
    prefix: keyPrefixOf(kind.plural),
    apply({ key, document }) {
      const former = nameByKey.get(key)
      if (former !== undefined) into.delete(former)
      nameByKey.delete(key)
      if (document === undefined) return []
      const parsed = kind.parseStored(document)
      if (!parsed.ok) return parsed.problems
      const belongs = kind.keyOf(parsed.value)
      if (belongs !== key) return [{ at: 'metadata.name', says: `lies under ${key} but names itself ${belongs}` }]
      into.set(nameOf(parsed.value), parsed.value)
      nameByKey.set(key, nameOf(parsed.value))
      return []
    },
  }
}
