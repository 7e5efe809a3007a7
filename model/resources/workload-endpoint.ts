/** WorkloadEndpoint: one pod interface, the cause of its route. */

import type { Ipv4 } from '@network/base/net/ipv4.ts'
import { list, object } from '../schema/compound.ts'
import { hostRoute, mac } from '../schema/network.ts'
import { name, text } from '../schema/plain.ts'
import { DEFAULT_NAMESPACE, type Kind, keyPrefixOf, metadataOf, shapedKind } from './kind.ts'

export interface WorkloadEndpoint {
  readonly node: string
  /** Kubernetes namespace; `default` outside Kubernetes. */
  readonly namespace: string
  /** Pod name; the container's id outside Kubernetes. */
  readonly pod: string
  readonly containerId: string
  /** Interface inside the pod: `eth0`. */
  readonly endpoint: string
  /** Host side of the veth pair: `cali` and 11 hex digits. */
  readonly interfaceName: string
  readonly mac: string
  readonly addresses: readonly Ipv4[]
  /** The CNI network that the pod was added to; absent where no CNI call made the endpoint. */
  readonly network?: string
}

/** Calico has no field for the name of a CNI network. */
const NETWORK = 'cali/cni-network'

export const INTERFACE_NAME = /^cali[0-9a-f]{11}$/

const spec = object(
  'The pod and its interface.',
  {
    node: name('The node that the pod runs on.'),
    pod: text("Name of the pod; the container's id outside Kubernetes."),
    containerID: text("The runtime's id of the pod's sandbox."),
    endpoint: text('Interface inside the pod.', { max: 15 }),
    interfaceName: text('Host side of the pair.', {
      pattern: INTERFACE_NAME,
      says: 'must be "cali" and 11 hexadecimal digits',
      type: 'interface name',
    }),
    mac: mac('Ethernet address of the host side.'),
    ipNetworks: list('The addresses of the pod.', hostRoute('One address.'), { min: 1 }),
  },
  {
    lacking: { orchestrator: ['k8s', 'cni'], profiles: [[]], ports: [[]], ipNATs: [[]], ipv4Gateway: [], serviceAccountName: [] },
  },
)

export const WORKLOAD_ENDPOINT: Kind<WorkloadEndpoint> = shapedKind(
  {
    kind: 'WorkloadEndpoint',
    shortNames: ['wep', 'weps'],
    namespaced: true,
    doc: "One pod's interface; the agent of its node writes it.",
    writtenBy: 'agents',
    spec,
    columns: [
      { title: 'WORKLOAD', path: 'spec.pod' },
      { title: 'NODE', path: 'spec.node' },
      { title: 'NETWORKS', path: 'spec.ipNetworks' },
      { title: 'INTERFACE', path: 'spec.interfaceName' },
    ],
  },
  {
    take: ({ metadata, spec: { containerID, ipNetworks, ...rest } }): WorkloadEndpoint => ({
      ...rest,
      namespace: metadata.namespace ?? DEFAULT_NAMESPACE,
      containerId: containerID,
      addresses: ipNetworks,
      ...networkOf(metadata.annotations),
    }),
    give: ({ namespace, containerId, addresses, network, ...rest }) => ({
      metadata: metadataOf(workloadName(rest), {
        namespace,
        annotations: network === undefined ? undefined : { [NETWORK]: network },
      }),
      spec: { ...rest, containerID: containerId, ipNetworks: addresses },
      status: undefined,
    }),
    keyOf: endpoint => `${keyPrefixOf('workloadendpoints')}${endpoint.namespace}/${workloadName(endpoint)}`,
  },
)

function networkOf(annotations: Readonly<Record<string, string>> = {}): { readonly network?: string } {
  const network = annotations[NETWORK]
  return network === undefined ? {} : { network }
}

/** Calico's form: node, orchestrator, pod and interface joined by "-", with "-" inside a part doubled. */
function workloadName({ node, pod, endpoint }: Pick<WorkloadEndpoint, 'node' | 'pod' | 'endpoint'>): string {
  return [node, 'k8s', pod, endpoint].map(part => part.replaceAll('-', '--')).join('-')
}
