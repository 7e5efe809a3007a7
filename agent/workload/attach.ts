/** A pod comes and goes: address, wiring, endpoint, route; all of it or nothing, also when the agent dies in the middle. */

import { formatIpv4, type Ipv4 } from '@network/base/net/ipv4.ts'
import { Fault, reasonOf } from '@network/base/run/fault.ts'
import type { Log } from '@network/base/run/log.ts'
import type { Problem } from '@network/model/resources/kind.ts'
import { WORKLOAD_ENDPOINT, type WorkloadEndpoint } from '@network/model/resources/workload-endpoint.ts'
import type { Books } from './books.ts'
import type { Connections } from './connections.ts'
import type { Journal } from './journal.ts'
import { addressHandle, endpointOf, GATEWAY, hostInterfaceName, interfaceOf, tunnelHandle } from './names.ts'
import type { Attached } from './replies.ts'
import type { PodInterface } from './request.ts'
import type { PodWiring } from './wire.ts'

/** Of taking something away once it was begun: no caller who leaves may stop that halfway. */
const UNDO_MS = 60_000

export interface AttachOptions {
  readonly node: string
  /** As they are to be kept at this moment. */
  readonly books: () => Books
  readonly wiring: PodWiring
  readonly journal: Journal
  readonly log: Log
  /** MTU for new pods, octets. */
  readonly podMtu: () => number
  readonly connections: Pick<Connections, 'beforeUse' | 'afterUse'>
  /** Resolves when the kernel carries the pod's /32 (`installed`) or no more does (`absent`). */
  readonly routed: (address: Ipv4, until: 'installed' | 'absent', signal: AbortSignal) => Promise<void>
}

/*
 * make:   former sandbox removed · journal · address · its old connections forgotten · veth pair · endpoint · route · journal closed · answer
 * remove: journal · endpoint away · veth pair away · route away · address away · journal closed · answer
 *
 * A crash anywhere leaves the line in the journal, and the next life removes what it names. What removing needs is in the line and in the
 * endpoint, and each step of it succeeds when there is nothing left to do. An address whose endpoint went before it, or never came, is found
 * by `releaseOrphans`: no endpoint has its handle.
 */
export class Attachments {
  readonly #options: AttachOptions
  /** Handles that are being made: their addresses have no endpoint yet. */
  readonly #making = new Set<string>()
  /** Of those who look for orphans at this moment; what begins meanwhile joins them. */
  readonly #spared = new Set<Set<string>>()

  constructor(options: AttachOptions) {
    this.#options = options
  }

  /** Attaches the pod or leaves nothing; a former sandbox of the same pod goes first. Calls for one pod must not overlap. */
  async make(pod: PodInterface, netns: string, signal: AbortSignal): Promise<Attached> {
    const { node, wiring, books } = this.#options
    // Before anything of a former sandbox is touched.
    signal.throwIfAborted()
    wiring.probe(netns)
    books().mustBeOpen()
    mustBeStorable({ ...endpointOf(pod, node), addresses: [GATEWAY] })
    const handle = addressHandle(pod)
    this.#making.add(handle)
    for (const spared of this.#spared) spared.add(handle)
    try {
      const former = await this.find(pod, signal)
      if (former !== undefined) await this.remove(interfaceOf(former))
      return await this.#makeAnew(pod, netns, signal)
    } finally {
      this.#making.delete(handle)
    }
  }

  /** Detaches the container's interface; done twice, or for a pod that never was, it succeeds. Calls for one pod must not overlap. */
  async remove(pod: PodInterface): Promise<void> {
    const { books, connections, journal, node } = this.#options
    const signal = AbortSignal.timeout(UNDO_MS)
    journal.begin(pod)
    const found = await this.find(pod, signal)
    if (found === undefined || found.containerId === pod.containerId)
      await this.#removeEndpoint(found ?? endpointOf(pod, node), signal)
    // A newer sandbox of the pod owns the endpoint and the interface; the address goes by the container's own handle.
    else
      for (const address of await books().release(addressHandle(pod), endpointOf(pod, node), signal))
        connections.afterUse(address)
    journal.finish(pod)
  }

  /** The endpoint of a pod interface, whatever its container. */
  find(pod: PodInterface, signal: AbortSignal): Promise<WorkloadEndpoint | undefined> {
    return this.#options.books().find(pod, signal)
  }

  /** Handles that are made while `work` runs, or were being made when it began: what they have is nobody's to take. */
  async sparing<T>(work: (spared: Set<string>) => Promise<T>): Promise<T> {
    const spared = new Set(this.#making)
    this.#spared.add(spared)
    try {
      return await work(spared)
    } finally {
      this.#spared.delete(spared)
    }
  }

  /** Frees the addresses of this node that no endpoint answers for, except those of `spared`, which grows meanwhile. */
  async releaseOrphans(spared: Set<string>, signal: AbortSignal): Promise<void> {
    const { books, connections, log, node } = this.#options
    const { endpoints, junk } = await books().all(signal)
    if (junk.length > 0) {
      log.warn('addresses without an endpoint are kept: an endpoint that cannot be read may answer for them', { keys: junk })
      return
    }
    for (const endpoint of endpoints) spared.add(addressHandle(interfaceOf(endpoint)))
    spared.add(tunnelHandle(node))
    for (const { address, handle, use } of await books().releaseUnused(spared, signal)) {
      connections.afterUse(address)
      log.info('address released: no endpoint answers for it', { address: formatIpv4(address), handle, use })
    }
  }

  async #makeAnew(pod: PodInterface, netns: string, signal: AbortSignal): Promise<Attached> {
    const { journal } = this.#options
    journal.begin(pod)
    try {
      const attached = await this.#build(pod, netns, signal)
      journal.finish(pod)
      return attached
    } catch (reason) {
      await this.#undo(pod, reason)
      throw reason
    }
  }

  async #build(pod: PodInterface, netns: string, signal: AbortSignal): Promise<Attached> {
    const { connections, log, node, podMtu, routed, wiring } = this.#options
    const books = this.#options.books()
    const address = await books.assign({ handle: addressHandle(pod), use: `${pod.namespace}/${pod.pod}`, signal })
    // Here and not when it was freed: whoever freed it, a crash included, it is done.
    await connections.beforeUse(address)
    const hostInterface = hostInterfaceName(pod)
    const mac = wiring.wire({ netns, hostInterface, podInterface: pod.ifName, address, mtu: podMtu() })
    await books.record({ ...endpointOf(pod, node), mac, addresses: [address] }, signal)
    await routed(address, 'installed', signal)
    signal.throwIfAborted()
    log.info('pod attached', { ...pod, address: formatIpv4(address), interface: hostInterface })
    return { netns, hostInterface, podInterface: pod.ifName, mac, address }
  }

  /** A failure here leaves the journal open, and so is not the last word. */
  async #undo(pod: PodInterface, why: unknown): Promise<void> {
    try {
      await this.remove(pod)
    } catch (reason) {
      this.#options.log.error('unwinding failed; tried again soon', { ...pod, why: reasonOf(why), failed: reasonOf(reason) })
    }
  }

  /** The endpoint first, for it is the cause of the route; the address last, when nothing leads to it. */
  async #removeEndpoint(endpoint: WorkloadEndpoint, signal: AbortSignal): Promise<void> {
    const { connections, log, routed, wiring } = this.#options
    const books = this.#options.books()
    await books.erase(endpoint, signal)
    wiring.unwire(endpoint.interfaceName)
    for (const address of endpoint.addresses) await routed(address, 'absent', signal)
    const released = await books.release(addressHandle(interfaceOf(endpoint)), endpoint, signal)
    for (const address of released) connections.afterUse(address)
    if (endpoint.addresses.length > 0 || released.length > 0)
      log.info('pod detached', { namespace: endpoint.namespace, pod: endpoint.pod, addresses: released.map(formatIpv4) })
  }
}

/** A document that nobody can read back would be a pod that nobody can route to. */
function mustBeStorable(endpoint: WorkloadEndpoint): void {
  const read = WORKLOAD_ENDPOINT.parse(WORKLOAD_ENDPOINT.print(endpoint))
  if (read.ok) return
  const problems = read.problems.map(({ at, says }: Problem) => `${at} ${says}`)
  throw new Fault('pod.name', {
    doing: 'make an endpoint for',
    on: `${endpoint.namespace}/${endpoint.pod} ${endpoint.endpoint}`,
    says: problems.join('; '),
  })
}
