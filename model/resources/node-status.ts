/** NodeStatus: what an agent last said of its node, kept where everybody can read it. */

import { list, object } from '../schema/compound.ts'
import { optional, standard } from '../schema/field.ts'
import { choice, flag, name, text, whole } from '../schema/plain.ts'
import type { ValueOf } from './ipam.ts'
import { resourceKind } from './kind.ts'

const COUNT = { min: 0, max: 4294967295 }

const peer = object('One BGP session.', {
  peerIP: text('The peer.'),
  name: optional(text('The node behind it, or the name of the BGPPeer.', { min: 0 })),
  type: choice('Of the mesh, of one node, or of all.', ['NodeMesh', 'NodePeer', 'GlobalPeer']),
  state: text('State of the session (RFC 4271).'),
  since: text('Since when (RFC 3339).'),
  lastError: optional(text('Why it is not up, or was not.', { min: 0 })),
})

const route = object('One route.', {
  destination: text('Where packets go.'),
  gateway: optional(text('By which address.', { min: 0 })),
  interface: optional(text('By which interface.', { min: 0 })),
  type: choice('In the kernel, or only known.', ['FIB', 'RIB']),
})

const status = object('What the agent said.', {
  lastUpdated: text('When (RFC 3339).'),
  agent: optional(
    object('The agent.', {
      state: choice('Whether it acts upon all that it knows.', ['Ready', 'NotReady', 'Stale']),
      version: text('Its version.'),
      startedAt: text('When it was started (RFC 3339).'),
      problems: standard(list('What somebody should look at.', text('One sentence.')), []),
    }),
  ),
  bgp: optional(
    object('Its BGP sessions.', {
      routerID: text('Its router id.'),
      numberEstablishedV4: whole('Sessions that are up.', COUNT),
      numberNotEstablishedV4: whole('Sessions that are not.', COUNT),
      settled: flag('It has heard all routes of its peers since it was started.'),
      peersV4: list('The sessions.', peer),
    }),
  ),
  routes: optional(object('Its routes.', { routesV4: list('The routes.', route) })),
})

export const NODE_STATUS = resourceKind({
  kind: 'NodeStatus',
  plural: 'nodestatuses',
  shortNames: ['nodestats'],
  formerKinds: ['CalicoNodeStatus'],
  doc: 'What the agent of a node last said of it.',
  writtenBy: 'both',
  spec: object('What is to be told, and how often.', {
    node: name('The node.'),
    classes: standard(list('What is told.', choice('One part.', ['Agent', 'BGP', 'Routes']), { min: 1, unique: true }), [
      'Agent',
      'BGP',
    ]),
    updatePeriodSeconds: standard(whole('How often it is told; 0: once.', { min: 0, max: 86400, unit: 'seconds' }), 10),
  }),
  status,
  columns: [
    { title: 'NODE', path: 'spec.node' },
    { title: 'STATE', path: 'status.agent.state' },
    { title: 'ESTABLISHED', path: 'status.bgp.numberEstablishedV4' },
    { title: 'UPDATED', path: 'status.lastUpdated' },
  ],
})

export type NodeStatus = ValueOf<typeof NODE_STATUS>
