/** AgentConfiguration: settings of the agents, for the cluster or for one node; Calico calls it FelixConfiguration. */

import { object } from '../schema/compound.ts'
import { standard } from '../schema/field.ts'
import { text, whole } from '../schema/plain.ts'
import { felixSettings } from './felix-settings.ts'
import type { ValueOf } from './ipam.ts'
import { resourceKind } from './kind.ts'
import { logLevel, refuseConfigurationName } from './shared.ts'

/** 0, or what IPv4 can carry at most (RFC 791). */
const MTU = { min: 0, max: 65535, unit: 'octets' }

const spec = object(
  'The settings.',
  {
    logSeverityScreen: standard(logLevel('What agents log, and all that is worse.'), 'Info'),
    ipipMTU: standard(whole('MTU of tunl0; 0 means that of the underlay less 20.', MTU), 0),
    vxlanMTU: standard(whole('MTU of the VXLAN device; 0 means that of the underlay less 50.', MTU), 0),
    vxlanVNI: standard(whole('VXLAN network identifier, the same on all nodes.', { min: 0, max: 16777215 }), 4096),
    vxlanPort: standard(whole('UDP port of VXLAN, the same on all nodes.', { min: 1, max: 65535 }), 4789),
    deviceRouteProtocol: standard(
      whole('Number by which routes in the kernel are known to be of the agent.', { min: 1, max: 255 }),
      80,
    ),
    interfacePrefix: standard(
      text('What the names of the host sides of pods begin with.', {
        max: 4,
        pattern: /^[a-z][a-z0-9]*$/,
        says: 'must be up to 4 lower-case letters and digits',
      }),
      'cali',
    ),
  },
  {
    get lacking() {
      return Object.fromEntries(felixSettings().map(name => [name, []]))
    },
  },
)

export const AGENT_CONFIGURATION = resourceKind({
  kind: 'AgentConfiguration',
  shortNames: ['agentconfig', 'agentconfigs', 'felixconfig', 'felixconfigs', 'felixconfiguration', 'felixconfigurations'],
  formerKinds: ['FelixConfiguration'],
  doc: 'Settings of the agents: default for the cluster, node.<name> for what one node does otherwise.',
  spec,
  refuseName: refuseConfigurationName,
  columns: [
    { title: 'LOGSEVERITY', path: 'spec.logSeverityScreen' },
    { title: 'VXLANVNI', path: 'spec.vxlanVNI', wide: true },
    { title: 'VXLANPORT', path: 'spec.vxlanPort', wide: true },
  ],
})

export type AgentConfiguration = ValueOf<typeof AGENT_CONFIGURATION>
