/** CHECK: whether a pod interface is still what its ADD said and made. */

import { formatIpv4 } from '@network/base/net/ipv4.ts'
import { Fault } from '@network/base/run/fault.ts'
import type { WorkloadEndpoint } from '@network/model/resources/workload-endpoint.ts'
import type { Books } from './books.ts'
import type { PodInterface, PreviousResult } from './request.ts'
import type { PodWiring } from './wire.ts'

export interface CheckSubject {
  readonly pod: PodInterface
  readonly netns: string
  readonly previous: PreviousResult
  /** What the datastore has for the pod; undefined when that is nothing. */
  readonly endpoint: WorkloadEndpoint | undefined
}

/** Resolves when all is as it was; a Fault `pod.not-as-added` names everything that is not. */
export async function checkAttachment(
  { pod, netns, previous, endpoint }: CheckSubject,
  { books, wiring }: { readonly books: () => Books; readonly wiring: PodWiring },
  signal: AbortSignal,
): Promise<void> {
  if (endpoint === undefined) throw notAsAdded(pod, ['no endpoint of it is in the datastore'])
  if (endpoint.containerId !== pod.containerId)
    throw notAsAdded(pod, [`its endpoint belongs to container ${endpoint.containerId}`])
  const { addresses, interfaceName, mac } = endpoint
  wiring.probe(netns)
  const problems = [
    ...contradictions(previous, { netns, endpoint }),
    ...(await books().unassigned(endpoint, signal)),
    ...wiring.inspect({ netns, hostInterface: interfaceName, podInterface: pod.ifName, addresses, mac }),
  ]
  if (problems.length > 0) throw notAsAdded(pod, problems)
}

/** Where the result of the ADD says other things than the endpoint. Interfaces and addresses of other plugins in the chain are theirs. */
export function contradictions(
  { interfaces, ips }: PreviousResult,
  { netns, endpoint }: { readonly netns: string; readonly endpoint: WorkloadEndpoint },
): string[] {
  const outside = interfaces.some(({ name, sandbox }) => name === endpoint.interfaceName && !sandbox)
  const at = interfaces.findIndex(({ name, sandbox }) => name === endpoint.endpoint && sandbox === netns)
  const inside = interfaces[at]
  const ours = new Set(endpoint.addresses.map(address => `${formatIpv4(address)}/32`))
  const said = new Set(ips.filter(ip => at !== -1 && ip.interface === at).map(({ address }) => address))
  return [
    ...(outside ? [] : [`prevResult has no interface ${endpoint.interfaceName} of the node`]),
    ...(inside === undefined ? [`prevResult has no interface ${endpoint.endpoint} in ${netns}`] : []),
    ...(inside?.mac === undefined || inside.mac.toLowerCase() === endpoint.mac
      ? []
      : [`prevResult gives ${endpoint.endpoint} the MAC address ${inside.mac}, the endpoint ${endpoint.mac}`]),
    ...[...ours]
      .filter(address => !said.has(address))
      .map(address => `prevResult does not give ${address} to ${endpoint.endpoint}`),
    ...[...said].filter(address => !ours.has(address)).map(address => `prevResult gives ${address}, the endpoint does not`),
  ]
}

function notAsAdded({ namespace, pod, ifName }: PodInterface, problems: readonly string[]): Fault {
  return new Fault('pod.not-as-added', {
    doing: 'confirm',
    on: `${ifName} of ${namespace}/${pod}`,
    says: problems.join('; '),
  })
}
