/** Asks an agent of the lab for its status, as calictl does. */
import { request } from 'node:http'
import { type Millis, millis } from '@network/base/time/units.ts'
import type { AgentStatus } from '@network/model/status.ts'
import { socketOf } from './agents.ts'
import type { Lab } from './lab.ts'
import { until } from './until.ts'

export function agentStatus(node: string): Promise<AgentStatus> {
  return new Promise((resolve, reject) => {
    // A connection of its own each: one kept from before may be closed by the agent at this very moment.
    const asked = request({ socketPath: socketOf(node), path: '/status', timeout: 10_000, agent: false }, response => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => resolve(JSON.parse(Buffer.concat(chunks).toString())))
    })
    asked.on('error', reject)
    asked.end()
  })
}

/** Waits until every node named satisfies the condition; past the deadline the fault shows what the first unsatisfied one says. */
export function everyAgent(
  lab: Lab,
  what: string,
  holds: (status: AgentStatus) => boolean,
  {
    nodes = lab.nodes.map(({ name }) => name),
    within = millis(60_000),
  }: { readonly nodes?: readonly string[]; readonly within?: Millis } = {},
): Promise<readonly AgentStatus[]> {
  let unsatisfied: AgentStatus | undefined
  return until(
    async () => {
      const statuses = await Promise.all(nodes.map(agentStatus))
      unsatisfied = statuses.find(status => !holds(status))
      return unsatisfied === undefined ? statuses : undefined
    },
    {
      clock: lab.clock,
      what,
      within,
      every: millis(50),
      instead: () => `node ${unsatisfied?.node} says ${JSON.stringify(unsatisfied)}`,
    },
  )
}

/** All sessions of the mesh are up, every block of the others is here, and nothing waits. */
export function meshIsUp(lab: Lab): (status: AgentStatus) => boolean {
  const others = lab.nodes.length - 1
  return status =>
    status.converged &&
    status.bgp.peers.filter(peer => peer.type === 'mesh' && peer.state === 'established').length === others &&
    status.routes.filter(route => route.kind === 'remote').length >= others
}
