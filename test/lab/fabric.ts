/** Builds the network under the nodes: racks, a router that knows nothing of pods, and bare machines. */

import { Fault } from '@network/base/run/fault.ts'
import { execa } from 'execa'
import { mustIn } from './command.ts'
import { type NodePlan, type Rack, ROUTER, type Topology } from './topology.ts'

/** Makes all namespaces and links of the topology; pods get a namespace with nothing but `lo`. */
export async function buildFabric(topology: Topology, rpFilter: 0 | 1 | 2): Promise<void> {
  const { racks, nodes, pods } = topology
  const names = [ROUTER, ...nodes.map(node => node.name), ...pods.map(pod => pod.name)]
  await ipBatch([...names.map(name => `netns add ${name}`), ...racks.map(bridge), ...nodes.map(cable)])
  await Promise.all([
    bringUpRouter(topology),
    ...nodes.map(node => bringUpNode(node, rpFilter)),
    ...pods.map(pod => bringUpLoopback(pod.name)),
  ])
}

/** Removes the namespaces, and with them all that is in them. */
export function removeFabric(names: readonly string[]): Promise<void> {
  return ipBatch(names.map(name => `netns del ${name}`))
}

/** Makes the empty namespace of a pod. */
export async function addNamespace(name: string): Promise<void> {
  await ipBatch([`netns add ${name}`])
  await bringUpLoopback(name)
}

function bridge(rack: Rack): string {
  return `link add ${rack.bridge} netns ${ROUTER} type bridge mcast_snooping 0`
}

/** A node's eth0 is the other end of the rack's port that bears its name. */
function cable(node: NodePlan): string {
  return `link add eth0 netns ${node.name} type veth peer name ${node.name} netns ${ROUTER}`
}

async function bringUpRouter({ racks }: Topology): Promise<void> {
  const links = racks.flatMap(rack => [
    `address add ${rack.gateway}/24 dev ${rack.bridge}`,
    `link set ${rack.bridge} up`,
    ...rack.nodes.map(node => `link set ${node.name} master ${rack.bridge} up`),
  ])
  await configure(ROUTER, 'echo 1 >/proc/sys/net/ipv4/ip_forward', ['link set lo up', ...links])
}

/** A machine as its distribution leaves it: one address, a default route, no forwarding, the distribution's rp_filter on every link. */
async function bringUpNode(node: NodePlan, rpFilter: number): Promise<void> {
  const sysctls = `echo 0 >/proc/sys/net/ipv4/ip_forward
    for each in /proc/sys/net/ipv4/conf/*/rp_filter; do echo ${rpFilter} >"$each"; done`
  await configure(node.name, sysctls, [
    'link set lo up',
    `address add ${node.interfaceAddress} dev eth0`,
    'link set eth0 up',
    `route add default via ${node.gateway}`,
  ])
}

async function bringUpLoopback(name: string): Promise<void> {
  await mustIn(name, ['ip', 'link', 'set', 'lo', 'up'])
}

/** One process for a whole namespace: each costs 50 ms in the virtual machine. */
async function configure(name: string, sysctls: string, links: readonly string[]): Promise<void> {
  await mustIn(name, ['sh', '-c', `${sysctls}\nexec ip -batch -`], { input: lines(links) })
}

async function ipBatch(commands: readonly string[]): Promise<void> {
  const { failed, stderr } = await execa('ip', ['-batch', '-'], { input: lines(commands), reject: false })
  if (failed) throw new Fault('lab.fabric', { doing: 'build', on: "the lab's network", says: stderr.trim() })
}

function lines(commands: readonly string[]): string {
  return `${commands.join('\n')}\n`
}
