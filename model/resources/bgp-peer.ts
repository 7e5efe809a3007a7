/** BGPPeer: a BGP session besides the mesh. */

import { type AnyAddress, formatAddress, parseAddress } from '@network/base/net/any-address.ts'
import { seconds } from '@network/base/time/units.ts'
import { list, object } from '../schema/compound.ts'
import { type Field, type Made, optional, parsed, standard } from '../schema/field.ts'
import { address, asn, duration } from '../schema/network.ts'
import { choice, flag, name, text, whole } from '../schema/plain.ts'
import { selector } from '../selector/field.ts'
import { RESTART_TIME } from './bgp-configuration.ts'
import type { ValueOf } from './ipam.ts'
import { resourceKind } from './kind.ts'
import { secretKey } from './shared.ts'

export interface PeerAddress {
  readonly address: AnyAddress
  /** Undefined: that of BGP. */
  readonly port: number | undefined
}

/** `192.0.2.1`, `192.0.2.1:1179`, `2001:db8::1` or `[2001:db8::1]:1179`. */
function parsePeerAddress(input: string): PeerAddress | undefined {
  const plain = parseAddress(input)
  if (plain !== undefined) return { address: plain, port: undefined }
  const [, host = '', digits = ''] = /^(?:\[(?=.*:)|(?!\[))([0-9a-fA-F:.]+?)\]?:(\d{1,5})$/.exec(input) ?? []
  const bracketed = input.startsWith('[') && input.includes(']:')
  const found = host.includes(':') === bracketed ? parseAddress(host) : undefined
  const port = Number(digits)
  return found === undefined || port < 1 || port > 65535 ? undefined : { address: found, port }
}

export function formatPeerAddress({ address: at, port }: PeerAddress): string {
  if (port === undefined) return formatAddress(at)
  return typeof at === 'bigint' ? `[${formatAddress(at)}]:${port}` : `${formatAddress(at)}:${port}`
}

function peerAddress(doc: string): Field<PeerAddress> {
  return parsed(doc, {
    type: 'address, with a port after it if you like',
    parse(input): Made<PeerAddress> {
      const value = parsePeerAddress(input)
      if (value !== undefined) return { ok: true, value }
      return { ok: false, says: `"${input}" is not an address such as 192.0.2.1, 192.0.2.1:1179 or [2001:db8::1]:1179` }
    },
    print: formatPeerAddress,
  })
}

const HOLD = { min: 3, max: 65535 }

const spec = object(
  'Who peers with whom, and how.',
  {
    node: optional(name('The node that peers; left out together with nodeSelector: all nodes do.')),
    nodeSelector: optional(selector('The nodes that peer.', { empty: 'refused' })),
    peerIP: optional(peerAddress('The peer.')),
    asNumber: optional(asn("The peer's AS number.")),
    peerSelector: optional(selector('The peers are these nodes.', { empty: 'refused' })),
    localWorkloadSelector: optional(selector('The peers are these pods of the node.', { empty: 'refused' })),
    localASNumber: optional(asn('The AS number that is shown to this peer.')),
    nextHopMode: standard(
      choice('Next hop of announced routes: Auto keeps it to internal peers and is the node to others.', [
        'Auto',
        'Self',
        'Keep',
      ]),
      'Auto',
    ),
    keepOriginalNextHop: optional(flag('The former way to say nextHopMode: Keep.')),
    password: optional(secretKey('TCP-MD5 password.')),
    sourceAddress: standard(
      choice('UseNodeIP: connect from the address of the node; None: from whatever the kernel takes.', ['UseNodeIP', 'None']),
      'UseNodeIP',
    ),
    maxRestartTime: standard(duration('How long the peer keeps the routes of a restarting node.', RESTART_TIME), seconds(120)),
    holdTime: optional(duration('After so long without a word the peer counts as dead.', HOLD)),
    keepaliveTime: optional(duration('Between two KEEPALIVEs; left out: a third of the hold time.', { min: 1, max: 21845 })),
    numAllowedLocalASNumbers: standard(whole("How often the node's AS may be in a path of the peer.", { min: 0, max: 10 }), 0),
    ttlSecurity: optional(
      whole('The peer is so many hops away, and packets from farther are dropped (RFC 5082).', {
        min: 1,
        max: 255,
        unit: 'hops',
      }),
    ),
    reachableBy: optional(address('The gateway to the peer: a static route to it goes by there.')),
    filters: standard(list('BGPFilters for this session, in order.', name('The name of one.'), { unique: true }), []),
    reversePeering: standard(
      choice('Auto: nodes selected by peerSelector peer back without a resource of their own.', ['Auto', 'Manual']),
      'Auto',
    ),
    description: optional(text('For people.', { max: 255 })),
  },
  {
    lacking: { failureDetectionMode: ['None'], restartMode: ['GracefulRestart'], birdGatewayMode: ['Recursive'] },
    rules: rule => [
      rule(['node', 'nodeSelector'], {
        at: 'nodeSelector',
        holds: ({ node, nodeSelector }) => node === undefined || nodeSelector === undefined,
        says: 'does not go together with node: leave one of them out',
        cel: '!has(self.node) || !has(self.nodeSelector)',
      }),
      rule(['peerIP', 'peerSelector', 'localWorkloadSelector'], {
        holds: ({ peerIP, peerSelector, localWorkloadSelector }) =>
          [peerIP, peerSelector, localWorkloadSelector].filter(one => one !== undefined).length === 1,
        says: 'must name its peers in one way: peerIP, peerSelector or localWorkloadSelector',
        cel: '[has(self.peerIP), has(self.peerSelector), has(self.localWorkloadSelector)].filter(x, x).size() == 1',
      }),
      rule(['asNumber', 'peerIP', 'localWorkloadSelector'], {
        at: 'asNumber',
        holds: ({ asNumber, peerIP, localWorkloadSelector }) =>
          asNumber !== undefined || (peerIP === undefined && localWorkloadSelector === undefined),
        says: 'is missing: only peers by peerSelector have an AS number of their own',
        cel: 'has(self.asNumber) || has(self.peerSelector)',
      }),
      rule(['asNumber', 'peerSelector'], {
        at: 'asNumber',
        holds: ({ asNumber, peerSelector }) => asNumber === undefined || peerSelector === undefined,
        says: 'does not go together with peerSelector: nodes have AS numbers of their own',
        cel: '!has(self.asNumber) || !has(self.peerSelector)',
      }),
      rule(['reachableBy', 'peerIP'], {
        at: 'reachableBy',
        holds: ({ reachableBy, peerIP }) =>
          reachableBy === undefined || (peerIP !== undefined && typeof peerIP.address === typeof reachableBy),
        says: 'needs a peerIP of the same family',
      }),
      rule(['keepaliveTime', 'holdTime'], {
        at: 'keepaliveTime',
        holds: ({ keepaliveTime, holdTime }) => keepaliveTime === undefined || holdTime === undefined || keepaliveTime < holdTime,
        says: 'must be shorter than holdTime; a third of it is usual',
      }),
      rule(['keepOriginalNextHop', 'nextHopMode'], {
        at: 'keepOriginalNextHop',
        holds: ({ keepOriginalNextHop, nextHopMode }) => keepOriginalNextHop !== true || nextHopMode !== 'Self',
        says: 'says the contrary of nextHopMode: leave it out',
        cel: "!has(self.keepOriginalNextHop) || !self.keepOriginalNextHop || self.nextHopMode != 'Self'",
      }),
    ],
  },
)

export const BGP_PEER = resourceKind({
  kind: 'BGPPeer',
  shortNames: ['bgpp', 'bp'],
  doc: 'A BGP session besides the mesh: of one node, of some, or of all.',
  spec,
  columns: [
    { title: 'PEERIP', path: 'spec.peerIP' },
    { title: 'NODE', path: 'spec.node' },
    { title: 'ASN', path: 'spec.asNumber' },
  ],
})

export type BgpPeer = ValueOf<typeof BGP_PEER>
