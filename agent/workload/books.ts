/** Where it is written which pods there are and which addresses they have: in the datastore, or while it is away in the ledger. */

import type { Ipv4 } from '@network/base/net/ipv4.ts'
import type { Request, Taken } from '@network/datastore/ipam/ipam.ts'
import type { WorkloadEndpoint } from '@network/model/resources/workload-endpoint.ts'
import type { PodInterface } from './request.ts'

/** Endpoints of a node, and the keys of those that nobody can read: whose they are, nobody knows. */
export interface Written {
  readonly endpoints: readonly WorkloadEndpoint[]
  readonly junk: readonly string[]
}

export interface Books {
  /** A Fault where no address could be given, whatever the pod. */
  mustBeOpen(): void
  /** The endpoint of a pod interface, whatever its container. */
  find(pod: PodInterface, signal: AbortSignal): Promise<WorkloadEndpoint | undefined>
  /** All of this node. */
  all(signal: AbortSignal): Promise<Written>
  /** An address; the same for the same handle. A Fault where there is none. */
  assign(request: Omit<Request, 'avoid'>): Promise<Ipv4>
  /** From here on the endpoint is the cause of the pod's route. */
  record(endpoint: WorkloadEndpoint, signal: AbortSignal): Promise<void>
  /** From here on it is the cause of nothing. */
  erase(endpoint: WorkloadEndpoint, signal: AbortSignal): Promise<void>
  /** Frees what the handle has; `endpoint` is what is known of it. Returns the addresses that no pod has any more. */
  release(handle: string, endpoint: WorkloadEndpoint, signal: AbortSignal): Promise<readonly Ipv4[]>
  /** Frees what this node has under no handle of `spared`. */
  releaseUnused(spared: ReadonlySet<string>, signal: AbortSignal): Promise<readonly Taken[]>
  /** Addresses of the endpoint that are not its container's, one sentence each. */
  unassigned(endpoint: WorkloadEndpoint, signal: AbortSignal): Promise<readonly string[]>
}
