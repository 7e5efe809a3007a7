/** What AgentConfiguration says for one node, and which settings of it and of BGPConfiguration do nothing here. */

import type { AgentConfiguration } from '@network/model/resources/agent-configuration.ts'
import { BGP_PORT, ROUTE_METRIC } from '@network/model/resources/bgp-configuration.ts'
import type { Snapshot } from '@network/model/snapshot.ts'
import { VXLAN_DEFAULTS, type VxlanSettings } from '@network/vxlan/settings.ts'
import { clusterBgp, ownBgp } from './identity.ts'

export type AgentSettings = AgentConfiguration['spec']

export const DEFAULT_SETTINGS: AgentSettings = {
  logSeverityScreen: 'Info',
  ipipMTU: 0,
  vxlanMTU: 0,
  vxlanVNI: 4096,
  vxlanPort: 4789,
  deviceRouteProtocol: 80,
  interfacePrefix: 'cali',
}

/**
 * The cluster's, and over it what the node's own document says otherwise than the default: in a stored document nobody can tell a default
 * from a word of its user.
 */
export function settingsOf(self: string, { agentConfigurations }: Pick<Snapshot, 'agentConfigurations'>): AgentSettings {
  const cluster = agentConfigurations.get('default')?.spec ?? DEFAULT_SETTINGS
  const own = agentConfigurations.get(`node.${self}`)?.spec
  return own === undefined ? cluster : laidOver(cluster, own)
}

function laidOver(cluster: AgentSettings, own: AgentSettings): AgentSettings {
  return {
    logSeverityScreen:
      own.logSeverityScreen === DEFAULT_SETTINGS.logSeverityScreen ? cluster.logSeverityScreen : own.logSeverityScreen,
    ipipMTU: own.ipipMTU || cluster.ipipMTU,
    vxlanMTU: own.vxlanMTU || cluster.vxlanMTU,
    vxlanVNI: own.vxlanVNI === DEFAULT_SETTINGS.vxlanVNI ? cluster.vxlanVNI : own.vxlanVNI,
    vxlanPort: own.vxlanPort === DEFAULT_SETTINGS.vxlanPort ? cluster.vxlanPort : own.vxlanPort,
    deviceRouteProtocol:
      own.deviceRouteProtocol === DEFAULT_SETTINGS.deviceRouteProtocol ? cluster.deviceRouteProtocol : own.deviceRouteProtocol,
    interfacePrefix: own.interfacePrefix === DEFAULT_SETTINGS.interfacePrefix ? cluster.interfacePrefix : own.interfacePrefix,
  }
}

/** What holds for this node's VXLAN: the agent's own file where it says otherwise than the default, else AgentConfiguration. */
export function vxlanSettings(file: VxlanSettings, { vxlanVNI, vxlanPort }: AgentSettings): VxlanSettings {
  return {
    device: file.device,
    vni: file.vni === VXLAN_DEFAULTS.vni ? vxlanVNI : file.vni,
    port: file.port === VXLAN_DEFAULTS.port ? vxlanPort : file.port,
  }
}

/** The settings that this version stores and does not act upon. */
const WITHOUT_EFFECT = ['deviceRouteProtocol', 'interfacePrefix'] as const

/** One sentence for each setting that somebody changed and that does nothing; `vxlan` is what holds. */
export function settingsProblems(self: string, snapshot: Snapshot, vxlan: VxlanSettings): string[] {
  const settings = settingsOf(self, snapshot)
  const agent = WITHOUT_EFFECT.filter(name => settings[name] !== DEFAULT_SETTINGS[name]).map(
    name => `AgentConfiguration: ${name} ${settings[name]} does nothing yet; this agent uses ${DEFAULT_SETTINGS[name]}`,
  )
  return [...agent, ...overruled(settings, vxlan), ...bgpProblems(self, snapshot)]
}

function overruled({ vxlanVNI, vxlanPort }: AgentSettings, { vni, port }: VxlanSettings): string[] {
  const sentence = (name: string, wanted: number, file: string, holds: number) =>
    `AgentConfiguration: ${name} ${wanted} does nothing on this node: ${file} in its agent's file is ${holds}, and must be the same on all nodes`
  return [
    ...(vxlanVNI === DEFAULT_SETTINGS.vxlanVNI || vxlanVNI === vni ? [] : [sentence('vxlanVNI', vxlanVNI, 'vxlan.vni', vni)]),
    ...(vxlanPort === DEFAULT_SETTINGS.vxlanPort || vxlanPort === port
      ? []
      : [sentence('vxlanPort', vxlanPort, 'vxlan.port', port)]),
  ]
}

function bgpProblems(self: string, snapshot: Snapshot): string[] {
  const config = clusterBgp(snapshot)
  if (config === undefined) return []
  const lists = ['serviceClusterIPs', 'serviceExternalIPs', 'serviceLoadBalancerIPs', 'ignoredInterfaces'] as const
  const changed: readonly (readonly [name: string, isChanged: boolean])[] = [
    ...lists.map(name => [name, config[name].length > 0] as const),
    ['bindMode None', config.bindMode === 'None'],
    ['localWorkloadPeeringIPV4', config.localWorkloadPeeringIPV4 !== undefined],
    ['ipv4NormalRoutePriority', config.ipv4NormalRoutePriority !== ROUTE_METRIC],
    ['logSeverityScreen', config.logSeverityScreen !== 'Info'],
  ]
  const port = ownBgp(self, snapshot)?.listenPort ?? BGP_PORT
  return [
    ...changed.filter(([, isChanged]) => isChanged).map(([name]) => `BGPConfiguration: ${name} does nothing yet`),
    ...(port === BGP_PORT
      ? []
      : [
          `BGPConfiguration: listenPort ${port}: only port ${BGP_PORT} is opened in firewalls of others; open it there if one drops`,
        ]),
  ]
}
