/** BGPConfiguration: what holds for all BGP sessions of the cluster, or of one node. */

import { seconds } from '@network/base/time/units.ts'
import { list, object } from '../schema/compound.ts'
import { optional, standard } from '../schema/field.ts'
import { address4, address6, anyPrefixField, asn, community, duration, isCommunity } from '../schema/network.ts'
import { choice, flag, text, whole } from '../schema/plain.ts'
import type { ValueOf } from './ipam.ts'
import { resourceKind } from './kind.ts'
import { logLevel, refuseConfigurationName, secretKey } from './shared.ts'

export const DEFAULT_ASN = 64512
export const BGP_PORT = 179
export const ROUTE_METRIC = 1024

/** RFC 4724: twelve bits of seconds. */
export const RESTART_TIME = { min: 0, max: 4095 }

const COMMUNITY_NAME = /^[A-Za-z0-9_.-]+$/

const namedCommunity = object('A name for a community.', {
  name: text('The name.', { max: 253, pattern: COMMUNITY_NAME, says: 'must consist of letters, digits, "_", "." and "-"' }),
  value: community('The community.'),
})

const advertisement = object('Communities for some routes.', {
  cidr: anyPrefixField('Routes inside of it get the communities.'),
  communities: list('Communities, or names of them.', text('One of them.'), { min: 1 }),
})

const block = (doc: string) => object(doc, { cidr: anyPrefixField('The range.') })

const METRIC = { min: 1, max: 2147483646 }

const spec = object(
  'Settings of BGP.',
  {
    nodeToNodeMeshEnabled: standard(flag('Every node peers with every other that is no route reflector.'), true),
    asNumber: standard(asn("The cluster's AS number; a Node may have its own."), DEFAULT_ASN),
    logSeverityScreen: standard(logLevel('What is logged of BGP, and all that is worse.'), 'Info'),
    listenPort: standard(whole('TCP port of the nodes.', { min: 1, max: 65535 }), BGP_PORT),
    bindMode: standard(choice('NodeIP: listen on the address of the node only.', ['None', 'NodeIP']), 'NodeIP'),
    serviceClusterIPs: standard(list('Ranges of cluster addresses of services to announce.', block('One range.')), []),
    serviceExternalIPs: standard(list('Ranges of external addresses of services to announce.', block('One range.')), []),
    serviceLoadBalancerIPs: standard(list('Ranges of load balancer addresses to announce.', block('One range.')), []),
    serviceLoadBalancerAggregation: standard(
      choice('Disabled: addresses of load balancers are announced one by one, from nodes with ready endpoints.', [
        'Enabled',
        'Disabled',
      ]),
      'Enabled',
    ),
    communities: standard(list('Names for communities, used in prefixAdvertisements.', namedCommunity), []),
    prefixAdvertisements: standard(list('Communities that announced routes get.', advertisement), []),
    nodeMeshPassword: optional(secretKey('TCP-MD5 password of the sessions of the mesh.')),
    nodeMeshMaxRestartTime: standard(
      duration('How long peers of the mesh keep the routes of a restarting node.', RESTART_TIME),
      seconds(120),
    ),
    ignoredInterfaces: standard(
      list('Interfaces whose networks are never announced; "*" stands for anything.', text('One of them.')),
      [],
    ),
    localWorkloadPeeringIPV4: optional(address4('Where pods that speak BGP reach their node.')),
    localWorkloadPeeringIPV6: optional(address6('Where pods that speak BGP reach their node.')),
    ipv4NormalRoutePriority: standard(whole('Metric of routes in the kernel.', METRIC), ROUTE_METRIC),
    ipv6NormalRoutePriority: standard(whole('Metric of routes in the kernel.', METRIC), ROUTE_METRIC),
  },
  {
    lacking: { programClusterRoutes: [] },
    rules: rule => [
      rule(['nodeToNodeMeshEnabled', 'nodeMeshPassword'], {
        at: 'nodeMeshPassword',
        holds: ({ nodeToNodeMeshEnabled, nodeMeshPassword }) => nodeToNodeMeshEnabled || nodeMeshPassword === undefined,
        says: 'needs the mesh: set nodeToNodeMeshEnabled to true, or leave it out',
        cel: '!has(self.nodeMeshPassword) || self.nodeToNodeMeshEnabled',
      }),
      rule(['communities'], {
        at: 'communities',
        holds: ({ communities }) => new Set(communities.map(({ name }) => name)).size === communities.length,
        says: 'has a name twice: leave one of them out',
      }),
      rule(['communities', 'prefixAdvertisements'], {
        at: 'prefixAdvertisements',
        holds: ({ communities, prefixAdvertisements }) => {
          const names = new Set(communities.map(({ name }) => name))
          return prefixAdvertisements.every(one => one.communities.every(value => isCommunity(value) || names.has(value)))
        },
        says: 'has a community that is neither a value such as 64512:300 nor a name from communities',
      }),
    ],
  },
)

export const BGP_CONFIGURATION = resourceKind({
  kind: 'BGPConfiguration',
  shortNames: ['bgpconfig', 'bgpconfigs'],
  doc: 'What holds for all BGP sessions: default for the cluster, node.<name> for what one node does otherwise.',
  spec,
  refuseName: refuseConfigurationName,
  columns: [
    { title: 'LOGSEVERITY', path: 'spec.logSeverityScreen' },
    { title: 'MESHENABLED', path: 'spec.nodeToNodeMeshEnabled' },
    { title: 'ASNUMBER', path: 'spec.asNumber' },
  ],
})

export type BgpConfiguration = ValueOf<typeof BGP_CONFIGURATION>
