/** NetworkPolicy, GlobalNetworkPolicy, Tier, NetworkSet, GlobalNetworkSet and HostEndpoint: stored and validated; nothing enforces them yet. */

import { list, object } from '../schema/compound.ts'
import { optional, standard } from '../schema/field.ts'
import { address, interfaceName, net } from '../schema/network.ts'
import { choice, flag, name, real, text, whole } from '../schema/plain.ts'
import { selector } from '../selector/field.ts'
import { ALL } from '../selector/selector.ts'
import type { ValueOf } from './ipam.ts'
import { resourceKind } from './kind.ts'
import { MAX_RULES, policyRule } from './policy-rule.ts'

const rules = (doc: string) => list(doc, policyRule, { max: MAX_RULES })

const POLICY_TYPES = ['Ingress', 'Egress'] as const

const policyFields = {
  tier: standard(name('The tier that the policy is in.'), 'default'),
  order: optional(real('Policies of a tier are asked in this order, the lowest first; left out: the last.')),
  selector: standard(selector('The endpoints that the policy is for.', { global: true }), ALL),
  types: optional(
    list(
      'Which directions the policy governs; left out: those that it has rules for, or Ingress.',
      choice('One of them.', POLICY_TYPES),
      {
        unique: true,
      },
    ),
  ),
  ingress: optional(rules('For packets to the endpoints.')),
  egress: optional(rules('For packets from the endpoints.')),
  serviceAccountSelector: optional(selector('Only pods whose service account has such labels.')),
}

const POLICY_COLUMNS = [
  { title: 'TIER', path: 'spec.tier' },
  { title: 'ORDER', path: 'spec.order', wide: true },
  { title: 'SELECTOR', path: 'spec.selector', wide: true },
]

export const NETWORK_POLICY = resourceKind({
  kind: 'NetworkPolicy',
  plural: 'networkpolicies',
  shortNames: ['np', 'policy', 'policies', 'pol'],
  namespaced: true,
  enforced: false,
  doc: 'Which packets pods of a namespace may send and receive.',
  spec: object('Whom the policy is for, and its rules.', policyFields, { lacking: { performanceHints: [[]] } }),
  columns: POLICY_COLUMNS,
})

const NO_EARLY = 'goes with applyOnForward true only'

export const GLOBAL_NETWORK_POLICY = resourceKind({
  kind: 'GlobalNetworkPolicy',
  plural: 'globalnetworkpolicies',
  shortNames: ['gnp', 'globalpolicy'],
  enforced: false,
  doc: 'Which packets endpoints of all namespaces, and nodes, may send and receive.',
  spec: object(
    'Whom the policy is for, and its rules.',
    {
      ...policyFields,
      namespaceSelector: optional(
        selector('Only endpoints in namespaces with such labels; global() for those in none.', { global: true }),
      ),
      doNotTrack: standard(flag('Asked before connection tracking.'), false),
      preDNAT: standard(flag('Asked before destinations are translated.'), false),
      applyOnForward: standard(flag('For packets that a node forwards, too.'), false),
    },
    {
      lacking: { performanceHints: [[]] },
      rules: rule => [
        rule(['doNotTrack', 'preDNAT'], {
          at: 'preDNAT',
          holds: ({ doNotTrack, preDNAT }) => !doNotTrack || !preDNAT,
          says: 'does not go together with doNotTrack',
          cel: '!self.doNotTrack || !self.preDNAT',
        }),
        rule(['doNotTrack', 'applyOnForward'], {
          at: 'doNotTrack',
          holds: ({ doNotTrack, applyOnForward }) => !doNotTrack || applyOnForward,
          says: NO_EARLY,
          cel: '!self.doNotTrack || self.applyOnForward',
        }),
        rule(['preDNAT', 'applyOnForward'], {
          at: 'preDNAT',
          holds: ({ preDNAT, applyOnForward }) => !preDNAT || applyOnForward,
          says: NO_EARLY,
          cel: '!self.preDNAT || self.applyOnForward',
        }),
        rule(['preDNAT', 'egress'], {
          at: 'egress',
          holds: ({ preDNAT, egress = [] }) => !preDNAT || egress.length === 0,
          says: 'does not go together with preDNAT, which is for arriving packets',
        }),
      ],
    },
  ),
  columns: POLICY_COLUMNS,
})

/** Tiers that are always there, with what is fixed about them. */
export const BUILT_IN_TIERS: ReadonlyMap<string, { readonly order: number; readonly defaultAction: 'Deny' | 'Pass' }> = new Map([
  ['default', { order: 1_000_000, defaultAction: 'Deny' }],
  ['kube-admin', { order: 1_000, defaultAction: 'Pass' }],
  ['kube-baseline', { order: 10_000_000, defaultAction: 'Pass' }],
])

export const TIER = resourceKind({
  kind: 'Tier',
  enforced: false,
  doc: 'A group of policies, asked before or after others.',
  spec: object('Its place and its end.', {
    order: optional(real('Tiers are asked in this order, the lowest first; left out: the last.')),
    defaultAction: standard(
      choice('What happens to a packet that a policy of the tier was for and no rule fitted.', ['Deny', 'Pass']),
      'Deny',
    ),
  }),
  refuseName({ metadata, spec }) {
    const fixed = BUILT_IN_TIERS.get(metadata.name)
    if (fixed === undefined || (spec.order === fixed.order && spec.defaultAction === fixed.defaultAction)) return undefined
    return {
      at: 'spec',
      says: `must be order ${fixed.order} and defaultAction ${fixed.defaultAction}, which are fixed for the tier ${metadata.name}`,
    }
  },
  columns: [
    { title: 'ORDER', path: 'spec.order' },
    { title: 'DEFAULTACTION', path: 'spec.defaultAction', wide: true },
  ],
})

const set = object('The addresses.', {
  nets: standard(list('Prefixes and addresses; rules find them by the labels of the set.', net('One of them.')), []),
})

export const NETWORK_SET = resourceKind({
  kind: 'NetworkSet',
  shortNames: ['netset', 'netsets'],
  namespaced: true,
  enforced: false,
  doc: 'Addresses with labels, for selectors in policies of the namespace.',
  spec: set,
  columns: [{ title: 'NETS', path: 'spec.nets', wide: true }],
})

export const GLOBAL_NETWORK_SET = resourceKind({
  kind: 'GlobalNetworkSet',
  shortNames: ['gns'],
  enforced: false,
  doc: 'Addresses with labels, for selectors in policies.',
  spec: set,
  columns: [{ title: 'NETS', path: 'spec.nets', wide: true }],
})

const endpointPort = object('A name for a port.', {
  name: text('The name.', { max: 63 }),
  protocol: choice('The protocol of the port.', ['TCP', 'UDP', 'SCTP']),
  port: whole('The port.', { min: 1, max: 65535 }),
})

export const HOST_ENDPOINT = resourceKind({
  kind: 'HostEndpoint',
  shortNames: ['hep', 'heps'],
  enforced: false,
  doc: 'An interface of a node, so that policies can be for it.',
  spec: object(
    'The interface.',
    {
      node: name('The node.'),
      interfaceName: optional(interfaceName('The interface; "*" for all of the node.')),
      expectedIPs: optional(list('Addresses of the interface, where its name is not known.', address('One of them.'))),
      profiles: optional(list('Profiles that hold where no policy does.', name('One of them.'))),
      ports: optional(list('Names for ports, for rules of policies.', endpointPort)),
    },
    {
      rules: rule => [
        rule(['interfaceName', 'expectedIPs'], {
          holds: ({ interfaceName: one, expectedIPs = [] }) => one !== undefined || expectedIPs.length > 0,
          says: 'must have interfaceName or expectedIPs',
          cel: 'has(self.interfaceName) || (has(self.expectedIPs) && self.expectedIPs.size() > 0)',
        }),
      ],
    },
  ),
  columns: [
    { title: 'NODE', path: 'spec.node' },
    { title: 'INTERFACE', path: 'spec.interfaceName', wide: true },
    { title: 'IPS', path: 'spec.expectedIPs', wide: true },
  ],
})

export type NetworkPolicy = ValueOf<typeof NETWORK_POLICY>
export type GlobalNetworkPolicy = ValueOf<typeof GLOBAL_NETWORK_POLICY>
export type Tier = ValueOf<typeof TIER>
export type HostEndpoint = ValueOf<typeof HOST_ENDPOINT>
