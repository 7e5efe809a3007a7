/** WorkloadEndpoint: one pod interface, the cause of its route. */

import { formatIpv4, type Ipv4 } from '@network/base/net/ipv4.ts'
import { parsePrefix } from '@network/base/net/prefix.ts'
import * as v from 'valibot'
import { documentOf, nameField } from './fields.ts'
import { API_VERSION, isRecord, type Kind, keyPrefixOf, parserOf } from './kind.ts'

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

const hostRoute = v.pipe(
  v.string('must be text'),
  v.rawTransform<string, Ipv4>(({ dataset, addIssue, NEVER }) => {
    const parsed = parsePrefix(dataset.value)
    if (parsed.ok && parsed.value.length === 32) return parsed.value.address
    addIssue({ message: `"${dataset.value}" is not a host address such as 10.244.7.5/32` })
    return NEVER
  }),
)

const spec = v.strictObject(
  {
    node: nameField,
    pod: v.pipe(v.string('must be text'), v.minLength(1, 'must not be empty')),
    containerID: v.pipe(v.string('must be text'), v.minLength(1, 'must not be empty')),
    endpoint: v.pipe(
      v.string('must be text'),
      v.minLength(1, 'must not be empty'),
      v.maxLength(15, 'is longer than 15 characters'),
    ),
    interfaceName: v.pipe(v.string('must be text'), v.regex(INTERFACE_NAME, 'must be "cali" and 11 hexadecimal digits')),
    mac: v.pipe(v.string('must be text'), v.regex(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/, 'must be a MAC address')),
    ipNetworks: v.pipe(v.array(hostRoute, 'must be a list'), v.minLength(1, 'must hold at least one address')),
  },
  'must be an object',
)

const schema = v.pipe(
  documentOf('WorkloadEndpoint', spec),
  v.check(document => typeof document.metadata.namespace === 'string', 'metadata.namespace is missing'),
  v.transform(
    ({ metadata, spec }): WorkloadEndpoint => ({
      node: spec.node,
      namespace: String(metadata.namespace),
      pod: spec.pod,
      containerId: spec.containerID,
      endpoint: spec.endpoint,
      interfaceName: spec.interfaceName,
      mac: spec.mac,
      addresses: spec.ipNetworks,
      ...networkOf(metadata.annotations),
    }),
  ),
)

export const WORKLOAD_ENDPOINT: Kind<WorkloadEndpoint> = {
  kind: 'WorkloadEndpoint',
  plural: 'workloadendpoints',
  parse: parserOf('WorkloadEndpoint', schema),
  keyOf: endpoint => `${keyPrefixOf('workloadendpoints')}${endpoint.namespace}/${workloadName(endpoint)}`,
  print: endpoint => ({
    apiVersion: API_VERSION,
    kind: 'WorkloadEndpoint',
    metadata: {
      name: workloadName(endpoint),
      namespace: endpoint.namespace,
      ...(endpoint.network === undefined ? {} : { annotations: { [NETWORK]: endpoint.network } }),
    },
    spec: {
      node: endpoint.node,
      pod: endpoint.pod,
      containerID: endpoint.containerId,
      endpoint: endpoint.endpoint,
      interfaceName: endpoint.interfaceName,
      mac: endpoint.mac,
      ipNetworks: endpoint.addresses.map(address => `${formatIpv4(address)}/32`),
    },
  }),
}

function networkOf(annotations: unknown): { readonly network?: string } {
  const network = isRecord(annotations) ? annotations[NETWORK] : undefined
  return typeof network === 'string' ? { network } : {}
}

/** Calico's form: node, orchestrator, pod and interface joined by "-", with "-" inside a part doubled. */
export function workloadName({ node, pod, endpoint }: Pick<WorkloadEndpoint, 'node' | 'pod' | 'endpoint'>): string {
  return [node, 'k8s', pod, endpoint].map(part => part.replaceAll('-', '--')).join('-')
}
