/** A pod comes and goes: address, wiring, endpoint, route; all of it or nothing. */

import { formatIpv4, type Ipv4 } from '@network/base/net/ipv4.ts'
import { Fault, reasonOf } from '@network/base/run/fault.ts'
import type { Log } from '@network/base/run/log.ts'
import type { Ipam } from '@network/datastore/ipam/ipam.ts'
import type { Datastore } from '@network/datastore/port.ts'
import { CNI_ERROR, type CniReply, type CniRequest, type CniResult, type CniVersion, cniFailure } from '@network/model/cni.ts'
import { WORKLOAD_ENDPOINT, type WorkloadEndpoint } from '@network/model/resources/workload-endpoint.ts'
import type { NetlinkClient } from '@network/netlink/client.ts'
import { addressHandle, hostInterfaceName } from './names.ts'
import { type PodInterface, readCniCall } from './request.ts'
import { GATEWAY, HOST_MAC, unwirePod, wirePod } from './wire.ts'

/** Of one ADD or DEL, below the plugin's own. */
const DEADLINE_MS = 60_000

export interface WorkloadOptions {
  readonly node: string
  readonly store: Datastore
  readonly ipam: Ipam
  /** Of the node's own namespace. */
  readonly netlink: NetlinkClient
  readonly log: Log
  /** MTU for new pods, octets. */
  readonly podMtu: () => number
  /** Resolves when the kernel carries the pod's /32 (`installed`) or no more does (`absent`). */
  readonly routed: (address: Ipv4, until: 'installed' | 'absent', signal: AbortSignal) => Promise<void>
}

export class Workloads {
  readonly #options: WorkloadOptions
  /** Calls for one pod run one after another. */
  readonly #turns = new Map<string, Promise<unknown>>()

  constructor(options: WorkloadOptions) {
    this.#options = options
  }

  /** Answers one CNI call; never throws: what goes wrong is a CNI error with its sentence. */
  async serve(request: CniRequest, gone: AbortSignal): Promise<CniReply> {
    const call = readCniCall(request)
    if (call.is === 'refused') return call.reply
    const signal = AbortSignal.any([gone, AbortSignal.timeout(DEADLINE_MS)])
    try {
      return await this.#inTurn(`${call.pod.namespace}/${call.pod.pod}/${call.pod.ifName}`, async () => {
        if (call.is === 'add') return { exitCode: 0, body: await this.#add(call.pod, call.netns, call.version, signal) }
        await this.#remove(call.pod, signal)
        return { exitCode: 0, body: null }
      })
    } catch (reason) {
      this.#options.log.error('cni call failed', { command: call.is, ...call.pod, why: reasonOf(reason) })
      return failureOf(call.version, call.pod, reason)
    }
  }

  async #add(
    pod: PodInterface,
    netns: string,
    version: CniVersion,
    signal: AbortSignal,
  ): Promise<Readonly<Record<string, unknown>>> {
    const { ipam, log, netlink, node, podMtu, routed } = this.#options
    // A second ADD, or a new sandbox of the same pod: what the first one left goes before anything is made.
    const former = await this.#find(pod, signal)
    if (former !== undefined) await this.#removeEndpoint(former.endpoint, signal)

    const assigned = await ipam.assign({ handle: addressHandle(pod), use: `${pod.namespace}/${pod.pod}`, signal })
    if (assigned.is === 'no-pool')
      throw new Exhausted(
        'there is no pool to take an address from',
        'create one: calictl ippool create default --cidr 10.244.0.0/16',
      )
    if (assigned.is === 'pools-full')
      throw new Exhausted(
        `no free address is left in ${assigned.pools.join(', ')} for node ${node}`,
        'create a further pool, or see who holds addresses: calictl ipam show --blocks',
      )
    const { address } = assigned
    const hostInterface = hostInterfaceName(pod)
    try {
      const mac = wirePod(netlink, { netns, hostInterface, podInterface: pod.ifName, address, mtu: podMtu() })
      await this.#store({ ...endpointOf(pod, node), mac, addresses: [address] }, signal)
      await routed(address, 'installed', signal)
      log.info('pod attached', { ...pod, address: formatIpv4(address), interface: hostInterface })
      return { ...resultOf(version, { pod, netns, hostInterface, mac, address }) }
    } catch (reason) {
      await this.#undo(pod, reason)
      throw reason
    }
  }

  /** Unwinds with a deadline of its own: the caller's may be what ran out. */
  async #undo(pod: PodInterface, why: unknown): Promise<void> {
    try {
      await this.#remove(pod, AbortSignal.timeout(DEADLINE_MS))
    } catch (reason) {
      this.#options.log.error('unwinding failed; the runtime repeats DEL', {
        ...pod,
        why: reasonOf(why),
        failed: reasonOf(reason),
      })
    }
  }

  /** DEL: done twice, or for a pod that never was, it succeeds. */
  async #remove(pod: PodInterface, signal: AbortSignal): Promise<void> {
    const found = await this.#find(pod, signal)
    if (found === undefined || found.endpoint.containerId === pod.containerId)
      await this.#removeEndpoint(found?.endpoint ?? endpointOf(pod, this.#options.node), signal)
    // A newer sandbox of the pod may own the endpoint by now; the address goes by the container's own handle.
    else await this.#options.ipam.release(addressHandle(pod), { signal })
  }

  /** The endpoint first, for it is the cause of the route; the address last, when nothing leads to it. */
  async #removeEndpoint(endpoint: WorkloadEndpoint, signal: AbortSignal): Promise<void> {
    const { ipam, log, netlink, routed } = this.#options
    await this.#delete(endpoint, signal)
    unwirePod(netlink, endpoint.interfaceName)
    for (const address of endpoint.addresses) await routed(address, 'absent', signal)
    const handle = addressHandle({ ...endpoint, ifName: endpoint.endpoint })
    const released = await ipam.release(handle, { signal })
    if (endpoint.addresses.length > 0 || released.length > 0)
      log.info('pod detached', { namespace: endpoint.namespace, pod: endpoint.pod, addresses: released.map(formatIpv4) })
  }

  async #find(pod: PodInterface, signal: AbortSignal): Promise<{ endpoint: WorkloadEndpoint; revision: string } | undefined> {
    const { store, node } = this.#options
    const entry = await store.get(WORKLOAD_ENDPOINT.keyOf(endpointOf(pod, node)), { signal })
    if (entry === undefined) return undefined
    const parsed = WORKLOAD_ENDPOINT.parse(entry.document)
    if (parsed.ok) return { endpoint: parsed.value, revision: entry.revision }
    throw new Fault('workload.junk', {
      doing: 'read',
      on: entry.key,
      says: parsed.problems.map(({ at, says }) => `${at} ${says}`).join('; '),
    })
  }

  async #store(endpoint: WorkloadEndpoint, signal: AbortSignal): Promise<void> {
    const { store } = this.#options
    const key = WORKLOAD_ENDPOINT.keyOf(endpoint)
    const document = WORKLOAD_ENDPOINT.print(endpoint)
    const present = await store.get(key, { signal })
    const outcome =
      present === undefined
        ? await store.create(key, document, { signal })
        : await store.update(key, document, present.revision, { signal })
    if (outcome.is !== 'written')
      throw new Fault('workload.race', {
        doing: 'write',
        on: key,
        says: 'somebody else wrote it at the same time',
        mend: 'try again',
      })
  }

  async #delete(endpoint: WorkloadEndpoint, signal: AbortSignal): Promise<void> {
    const { store } = this.#options
    const key = WORKLOAD_ENDPOINT.keyOf(endpoint)
    for (let entry = await store.get(key, { signal }); entry !== undefined; entry = await store.get(key, { signal }))
      if ((await store.delete(key, entry.revision, { signal })).is !== 'conflict') return
  }

  async #inTurn<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(key) ?? Promise.resolve()
    const mine = before.then(work, work)
    const settled = mine.then(
      () => undefined,
      () => undefined,
    )
    this.#turns.set(key, settled)
    try {
      return await mine
    } finally {
      if (this.#turns.get(key) === settled) this.#turns.delete(key)
    }
  }
}

class Exhausted extends Error {
  readonly mend: string
  constructor(says: string, mend: string) {
    super(says)
    this.mend = mend
  }
}

/** Before it has an address. */
function endpointOf(pod: PodInterface, node: string): WorkloadEndpoint {
  return {
    node,
    namespace: pod.namespace,
    pod: pod.pod,
    containerId: pod.containerId,
    endpoint: pod.ifName,
    interfaceName: hostInterfaceName(pod),
    mac: HOST_MAC,
    addresses: [],
  }
}

interface Wired {
  readonly pod: PodInterface
  readonly netns: string
  readonly hostInterface: string
  readonly mac: string
  readonly address: Ipv4
}

function resultOf(version: CniVersion, { pod, netns, hostInterface, mac, address }: Wired): CniResult {
  return {
    cniVersion: version,
    interfaces: [
      { name: hostInterface, mac: HOST_MAC },
      { name: pod.ifName, mac, sandbox: netns },
    ],
    ips: [
      {
        ...(version === '0.4.0' ? { version: '4' } : {}),
        address: `${formatIpv4(address)}/32`,
        gateway: formatIpv4(GATEWAY),
        interface: 1,
      },
    ],
    routes: [{ dst: '0.0.0.0/0', gw: formatIpv4(GATEWAY) }],
    dns: {},
  }
}

function failureOf(version: CniVersion, pod: PodInterface, reason: unknown): CniReply {
  const who = `pod ${pod.namespace}/${pod.pod}`
  if (reason instanceof Exhausted)
    return cniFailure(version, CNI_ERROR.addressesExhausted, `${who}: ${reason.message}`, reason.mend)
  if (reason instanceof Fault && reason.code === 'sys.namespace')
    return cniFailure(
      version,
      CNI_ERROR.unknownContainer,
      `${who}: ${reason.message}`,
      'CNI_NETNS must be the path of a live network namespace',
    )
  if (reason instanceof Fault && reason.code.startsWith('datastore.'))
    return cniFailure(
      version,
      CNI_ERROR.tryAgainLater,
      `${who}: ${reason.message}`,
      'the datastore must answer before a pod can start',
    )
  if (reason instanceof DOMException && reason.name === 'TimeoutError')
    return cniFailure(
      version,
      CNI_ERROR.tryAgainLater,
      `${who}: not ready after ${DEADLINE_MS / 1000} s`,
      'see calictl node status',
    )
  return cniFailure(
    version,
    CNI_ERROR.internal,
    `${who}: ${reasonOf(reason)}`,
    reason instanceof Fault ? reason.code : 'see the log of the agent',
  )
}
