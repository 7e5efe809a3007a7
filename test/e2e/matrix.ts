/** Every way between pods and nodes, in one mode: nobody's address is translated, and the wire carries what the mode says. */
import assert from 'node:assert/strict'
import { capture } from '../lab/capture.ts'
import { PROTOCOL } from '../lab/frame.ts'
import type { Lab } from '../lab/lab.ts'
import { type Form, tracePath } from '../lab/path.ts'
import { ping } from '../lab/ping.ts'
import { MODES, type ModeName } from './mode-changes.ts'

interface Way {
  readonly what: string
  readonly from: string
  readonly to: string
  /** As replies arrive. */
  readonly ttl: number
  /** On the underlay of the sender; undefined where nothing may pass there. */
  readonly form: Form | undefined
}

/** For a lab of two racks with two nodes each and two pods a node, whose router knows the blocks. */
export function waysIn(mode: ModeName): Way[] {
  const { ipip, vxlan } = MODES[mode]
  const tunnel: Form = ipip === 'Never' ? 'vxlan' : 'ipip'
  const setting = ipip === 'Never' ? vxlan : ipip
  const near = setting === 'Always' ? tunnel : 'plain'
  const far = setting === 'Never' ? 'plain' : tunnel
  return [
    { what: 'pod to pod, same node', from: 'a1-p1', to: 'a1-p2', ttl: 63, form: undefined },
    { what: 'pod to pod, other node', from: 'a1-p1', to: 'a2-p1', ttl: 62, form: near },
    { what: 'pod to pod, other subnet', from: 'a1-p1', to: 'b1-p1', ttl: far === 'plain' ? 61 : 62, form: far },
    { what: 'node to its pod', from: 'a1', to: 'a1-p1', ttl: 64, form: undefined },
    { what: 'node to pod, other node', from: 'a1', to: 'a2-p1', ttl: 63, form: near },
    { what: 'node to pod, other subnet', from: 'a1', to: 'b1-p1', ttl: far === 'plain' ? 62 : 63, form: far },
    { what: 'pod to its node', from: 'a1-p1', to: 'a1', ttl: 64, form: undefined },
    { what: 'pod to node, other node', from: 'a1-p1', to: 'a2', ttl: 63, form: 'plain' },
    // Answers come back through the tunnel, where no router counts.
    { what: 'pod to node, other subnet', from: 'a1-p1', to: 'b1', ttl: far === 'plain' ? 62 : 63, form: 'plain' },
  ]
}

/** P1, P3 and P4 of one way. */
export async function assertWay(lab: Lab, { from, to, ttl, form }: Way): Promise<void> {
  const source = await sourceOf(lab, from, to)
  const target = addressOf(lab, to)
  const isNode = (name: string) => lab.nodes.some(each => each.name === name)
  // What a pod says to its own node is heard at the pod.
  const ear = isNode(to) && form === undefined ? from : to
  await using there = await capture(lab, `${ear}:eth0`, {
    filter: ({ ip }) => ip?.protocol === PROTOCOL.icmp && ip.destination === target,
  })
  const path = await tracePath(lab, { name: from, address: source }, { address: target }, 'a1:eth0')
  assert.deepEqual([path.ping.received, path.ping.ttls], [3, [ttl]], 'P1')
  const request = path.request?.ip?.payload.is
  assert.equal(request === 'ipip' || request === 'vxlan' ? request : path.request === undefined ? undefined : 'plain', form, 'P3')
  const sources = new Set((await there.stop()).map(({ ip }) => ip?.source))
  assert.deepEqual([...sources], [source], 'P4')
}

/** P0: with its route gone nobody is reached. */
export async function assertUnreached(lab: Lab, from: string, to: string): Promise<void> {
  assert.equal((await ping(lab, from, addressOf(lab, to), 1)).received, 0, 'P0')
}

function addressOf(lab: Lab, name: string): string {
  return lab.nodes.find(node => node.name === name)?.address ?? lab.pod(name).address
}

/** A pod has one address; a node speaks with that which its route says. */
async function sourceOf(lab: Lab, from: string, to: string): Promise<string> {
  if (!lab.nodes.some(({ name }) => name === from)) return lab.pod(from).address
  const { stdout } = await lab.exec(from, ['ip', '-o', 'route', 'get', addressOf(lab, to)])
  return / src ([\d.]+)/.exec(stdout)?.[1] ?? assert.fail(stdout)
}
