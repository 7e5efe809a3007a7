/** What a lab consists of, by name and address: pure arithmetic, nothing is built here. */
import { createHash } from 'node:crypto'
import { Fault } from '@network/base/run/fault.ts'

export interface Topology {
  readonly racks: readonly Rack[]
  /** All nodes, rack by rack. */
  readonly nodes: readonly NodePlan[]
  /** All pods, node by node. */
  readonly pods: readonly PodPlan[]
}

/** One subnet of the fabric: a bridge in the router's namespace. */
export interface Rack {
  readonly letter: string
  /** `172.16.20.0/24` */
  readonly subnet: string
  /** The router's address in the rack, every node's default gateway. */
  readonly gateway: string
  /** The link in the namespace `router` that carries all frames of the rack: `rack-a`. */
  readonly bridge: string
  readonly nodes: readonly NodePlan[]
}

export interface NodePlan {
  /** `a1`: also its network namespace, and its port on the rack's bridge. */
  readonly name: string
  readonly rack: string
  readonly address: string
  /** `172.16.20.11/24` */
  readonly interfaceAddress: string
  readonly gateway: string
  /** What /etc/machine-id would be: 32 hex digits, the same in every run. */
  readonly machineId: string
  readonly pods: readonly PodPlan[]
}

export interface PodPlan {
  /** `a1-p1`: also its network namespace and its container id. */
  readonly name: string
  readonly node: string
}

export const ROUTER = 'router'

const LETTERS = 'abcdefghijklmno'
const FIRST_HOST = 11
/** Hosts .11 to .250 of a /24. */
const MOST_NODES = 240
const MOST_PODS = 200

/** Names and addresses for so many racks, nodes a rack and pods a node; numbers that do not fit are a Fault. */
export function topology(rackCount: number, nodesPerRack: number, podsPerNode: number): Topology {
  mustBeWithin('racks', rackCount, 1, LETTERS.length)
  mustBeWithin('nodes a rack', nodesPerRack, 1, MOST_NODES)
  mustBeWithin('pods a node', podsPerNode, 0, MOST_PODS)
  const racks = [...LETTERS.slice(0, rackCount)].map((letter, at) => rack(letter, 20 + 16 * at, nodesPerRack, podsPerNode))
  const nodes = racks.flatMap(each => each.nodes)
  return { racks, nodes, pods: nodes.flatMap(node => node.pods) }
}

function mustBeWithin(what: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return
  throw new Fault('lab.topology', {
    doing: 'plan a lab with',
    on: `${value} ${what}`,
    says: `it takes a whole number from ${least} to ${most}`,
  })
}

function rack(letter: string, third: number, nodeCount: number, podCount: number): Rack {
  const gateway = `172.16.${third}.1`
  const nodes = numbers(nodeCount).map(at => node(letter, at, { gateway, third, podCount }))
  return { letter, subnet: `172.16.${third}.0/24`, gateway, bridge: `rack-${letter}`, nodes }
}

function node(
  letter: string,
  at: number,
  { gateway, third, podCount }: { readonly gateway: string; readonly third: number; readonly podCount: number },
): NodePlan {
  const name = `${letter}${at}`
  const address = `172.16.${third}.${FIRST_HOST + at - 1}`
  const pods = numbers(podCount).map(pod => ({ name: `${name}-p${pod}`, node: name }))
  return { name, rack: letter, address, interfaceAddress: `${address}/24`, gateway, machineId: machineIdOf(name), pods }
}

/** Any 32 hex digits will do, as long as two nodes never share them. */
function machineIdOf(name: string): string {
  return createHash('sha256').update(`cali lab ${name}`).digest('hex').slice(0, 32)
}

/** 1, 2, … `count` */
function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, at) => at + 1)
}
