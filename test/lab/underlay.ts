/** Gives the whole underlay another MTU, live: every NIC, every port, every bridge. */
import { mustIn } from './command.ts'
import type { Lab } from './lab.ts'
import { ROUTER } from './topology.ts'

export async function setUnderlayMtu(lab: Lab, mtu: number): Promise<void> {
  const { racks, nodes } = lab.topology
  const set = (link: string) => `link set ${link} mtu ${mtu}`
  // A bridge takes no more than its ports, so the ports come first.
  const inRouter = [...racks.flatMap(rack => rack.nodes.map(node => set(node.name))), ...racks.map(rack => set(rack.bridge))]
  await Promise.all([batch(ROUTER, inRouter), ...nodes.map(node => batch(node.name, [set('eth0')]))])
}

async function batch(where: string, lines: readonly string[]): Promise<void> {
  await mustIn(where, ['ip', '-batch', '-'], { input: `${lines.join('\n')}\n` })
}
