/** BGPFilter: which routes a BGP session takes in and gives out. */

import { isPrefix6 } from '@network/base/net/any-prefix.ts'
import { list, object } from '../schema/compound.ts'
import { optional, standard } from '../schema/field.ts'
import { anyPrefixField, asn, community } from '../schema/network.ts'
import { choice, text, whole } from '../schema/plain.ts'
import type { ValueOf } from './ipam.ts'
import { resourceKind } from './kind.ts'

const PRIORITY = { min: 1, max: 2147483646 }
const MAX_OPERATIONS = 10

const operation = object(
  'One change of an accepted route.',
  {
    addCommunity: optional(object('Adds a community.', { value: community('The community.') })),
    prependASPath: optional(
      object('Puts AS numbers before the path.', {
        prefix: list('AS numbers, the first of the path first.', asn('One of them.'), { min: 1, max: 10 }),
      }),
    ),
    setPriority: optional(object('Sets the metric.', { value: whole('The metric.', PRIORITY) })),
  },
  {
    rules: rule => [
      rule(['addCommunity', 'prependASPath', 'setPriority'], {
        holds: values => Object.values(values).filter(one => one !== undefined).length === 1,
        says: 'must be one of addCommunity, prependASPath, setPriority',
      }),
    ],
  },
)

/** Rules for the routes of one family; `bits` is the length of its addresses. */
function ruleOf(bits: 32 | 128) {
  const length = { min: 0, max: bits }
  const prefixLength = object(
    'Only prefixes of these lengths.',
    { min: optional(whole('The shortest.', length)), max: optional(whole('The longest.', length)) },
    {
      rules: rule => [
        rule(['min', 'max'], {
          at: 'max',
          holds: ({ min = 0, max = bits }) => min <= max,
          says: 'is less than min',
        }),
      ],
    },
  )
  return object(
    'A rule: what it says of a route must all be so, and the first rule that fits decides.',
    {
      action: choice('What happens to the route.', ['Accept', 'Reject']),
      cidr: optional(anyPrefixField('Compared with the prefix of the route as matchOperator says.')),
      matchOperator: optional(choice('Equal to cidr or not, inside of it or not.', ['Equal', 'NotEqual', 'In', 'NotIn'])),
      prefixLength: optional(prefixLength),
      source: optional(choice('RemotePeers: only routes that BGP peers told.', ['RemotePeers'])),
      interface: optional(text('The interface that the route goes by; "*" stands for anything.', { max: 15 })),
      peerType: optional(choice('Only for sessions inside of the AS, or only for others.', ['eBGP', 'iBGP'])),
      communities: optional(
        object('Only routes with this community.', { values: list('The community.', community('It.'), { min: 1, max: 1 }) }),
      ),
      asPathPrefix: optional(list('Only routes whose AS path begins so.', asn('One AS number.'), { min: 1 })),
      priority: optional(whole('Only routes of this metric.', PRIORITY)),
      operations: optional(list('Changes of the route.', operation, { min: 1, max: MAX_OPERATIONS })),
    },
    {
      rules: rule => [
        rule(['cidr', 'matchOperator'], {
          at: 'matchOperator',
          holds: ({ cidr, matchOperator }) => (cidr === undefined) === (matchOperator === undefined),
          says: 'goes together with cidr: write both or none',
          cel: 'has(self.cidr) == has(self.matchOperator)',
        }),
        rule(['cidr', 'prefixLength'], {
          at: 'prefixLength',
          holds: ({ cidr, prefixLength: lengths }) => lengths === undefined || cidr !== undefined,
          says: 'needs cidr and matchOperator beside it',
          cel: '!has(self.prefixLength) || has(self.cidr)',
        }),
        rule(['cidr'], {
          at: 'cidr',
          holds: ({ cidr }) => cidr === undefined || isPrefix6(cidr) === (bits === 128),
          says: `must be an ${bits === 32 ? 'IPv4' : 'IPv6'} prefix in this list`,
        }),
        rule(['action', 'operations'], {
          at: 'operations',
          holds: ({ action, operations }) => operations === undefined || action === 'Accept',
          says: 'goes with action Accept only: a rejected route is not changed',
          cel: "!has(self.operations) || self.action == 'Accept'",
        }),
      ],
    },
  )
}

const MAX_RULES = 1024

const spec = object('Four lists of rules.', {
  exportV4: standard(list('For IPv4 routes that are announced.', ruleOf(32), { max: MAX_RULES }), []),
  importV4: standard(list('For IPv4 routes that are heard.', ruleOf(32), { max: MAX_RULES }), []),
  exportV6: standard(list('For IPv6 routes that are announced.', ruleOf(128), { max: MAX_RULES }), []),
  importV6: standard(list('For IPv6 routes that are heard.', ruleOf(128), { max: MAX_RULES }), []),
})

export const BGP_FILTER = resourceKind({
  kind: 'BGPFilter',
  shortNames: ['bgpf', 'bf'],
  doc: 'Which routes a BGP session takes in and gives out; BGPPeers name it.',
  spec,
  columns: [
    { title: 'NUMEXPORTV4', path: 'spec.exportV4', count: true },
    { title: 'NUMIMPORTV4', path: 'spec.importV4', count: true },
    { title: 'NUMEXPORTV6', path: 'spec.exportV6', count: true },
    { title: 'NUMIMPORTV6', path: 'spec.importV6', count: true },
  ],
})

export type BgpFilter = ValueOf<typeof BGP_FILTER>
