/** The seven things that the demonstration proves, each with the lab as its witness. */

import { between } from '@network/base/time/units.ts'
import type { AgentStatus } from '@network/model/status.ts'
import { agentStatus, everyAgent, meshIsUp } from '../lab/agent-status.ts'
import { type Frame, formatFrame } from '../lab/frame.ts'
import type { Lab, LabPod } from '../lab/lab.ts'
import { tracePath } from '../lab/path.ts'
import type { Cast } from './cast.ts'
import { killAgent } from './kill.ts'
import { changeMode } from './mode-change.ts'
import { expect, type Show, type Step } from './step.ts'

/** The wire between the first rack's nodes and the router. */
const WIRE = 'router:rack-a'
/** Two hops: the sender's node and the receiver's. */
const POD_TO_POD_TTL = 62

export function steps(build: () => Promise<Lab>): Step[] {
  let cast: Cast | undefined
  const onStage = (run: (cast: Cast, show: Show) => Promise<void>) => async (show: Show) => {
    expect(cast !== undefined, 'a lab', 'none: step 1 failed', 'step 1')
    await run(cast, show)
  }
  return [
    {
      title: 'lab up: nodes, subnets, pods',
      run: async show => {
        cast = castOf(await build())
        introduce(cast.lab, show)
      },
    },
    { title: 'BGP: full mesh, blocks exchanged', run: onStage(proveMesh) },
    { title: 'same rack, pod to pod: plain', run: onStage(proveNear) },
    { title: 'across racks, pod to pod: IPIP', run: onStage(proveFar) },
    { title: 'the evidence in the kernel', run: onStage(showKernel) },
    { title: 'modes changed live: Always, Never, CrossSubnet', run: onStage(changeModes) },
    { title: 'an agent killed for five seconds under traffic', run: onStage(killAgent) },
  ]
}

function castOf(lab: Lab): Cast {
  const [first] = lab.nodes
  const here = lab.pods.find(pod => pod.node === first?.name)
  const near = lab.pods.find(pod => pod.node !== first?.name && rackOf(lab, pod) === first?.rack)
  const far = lab.pods.find(pod => rackOf(lab, pod) !== first?.rack)
  expect(
    here !== undefined && near !== undefined && far !== undefined,
    'pods on two nodes of one rack and in a second rack',
    lab.pods.map(({ name }) => name).join(', '),
    'the flags --racks, --nodes and --pods',
  )
  return { lab, here, near, far }
}

function rackOf(lab: Lab, pod: LabPod): string {
  return lab.node(pod.node).rack
}

function introduce(lab: Lab, show: Show): void {
  for (const rack of lab.topology.racks) {
    show(`rack ${rack.letter}  ${rack.subnet}, router ${rack.gateway}`)
    for (const node of rack.nodes) {
      const pods = lab.pods.filter(pod => pod.node === node.name)
      show(`  node ${node.name}  ${node.interfaceAddress}   pods ${pods.map(pod => `${pod.name} ${pod.address}`).join(', ')}`, {
        node: node.name,
        address: node.interfaceAddress,
        pods: Object.fromEntries(pods.map(pod => [pod.name, pod.address])),
      })
    }
  }
}

async function proveMesh({ lab }: Cast, show: Show): Promise<void> {
  const from = lab.clock.now()
  const statuses = await everyAgent(lab, 'all sessions and blocks', meshIsUp(lab))
  const waited = between(from, lab.clock.now())
  const count = lab.nodes.length
  const sessions = (count * (count - 1)) / 2
  const ends = statuses.flatMap(({ bgp }) => bgp.peers.filter(({ state }) => state === 'established'))
  expect(
    ends.length === 2 * sessions,
    `${2 * sessions} ends of ${sessions} sessions Established`,
    `${ends.length}`,
    'calictl node status',
  )
  const slowest = Math.max(...statuses.map(upAfter))
  show(`${sessions} of ${sessions} sessions Established, the last ${(slowest / 1000).toFixed(1)} s after its agent started`, {
    sessions,
    slowestMillis: slowest,
    waitedMillis: Math.round(waited),
  })
  for (const status of statuses) {
    const heard = status.routes.filter(({ kind }) => kind === 'remote').map(({ destination }) => destination)
    show(`  ${status.node} announces ${status.bgp.originated.join(', ')} and hears ${heard.join(', ')}`, {
      node: status.node,
      announces: status.bgp.originated,
      hears: heard,
    })
  }
}

/** Milliseconds from the agent's start to its last session. */
function upAfter(status: AgentStatus): number {
  return Math.max(...status.bgp.peers.map(({ since }) => Date.parse(since) - Date.parse(status.startedAt)))
}

async function proveNear({ lab, here, near }: Cast, show: Show): Promise<void> {
  const path = await tracePath(lab, here, near, WIRE)
  const { request } = path
  expect(path.ping.received === path.ping.sent, `${path.ping.sent} replies`, `${path.ping.received}`, lookAt(here))
  expect(path.ping.ttls.join() === String(POD_TO_POD_TTL), `TTL ${POD_TO_POD_TTL}`, `TTL ${path.ping.ttls.join()}`, lookAt(here))
  expect(path.forms.join() === 'plain', 'only plain frames', path.forms.join() || 'none', `the wire ${WIRE}`)
  expect(request !== undefined, 'an echo request on the wire', 'none', `the wire ${WIRE}`)
  show(`${here.name} ${here.address} -> ${near.name} ${near.address}: ttl=${POD_TO_POD_TTL}`, { ttl: POD_TO_POD_TTL })
  showFrame(request, show)
}

async function proveFar({ lab, here, far }: Cast, show: Show): Promise<void> {
  const path = await tracePath(lab, here, far, WIRE)
  const { request } = path
  expect(path.ping.received === path.ping.sent, `${path.ping.sent} replies`, `${path.ping.received}`, lookAt(here))
  expect(path.ping.ttls.join() === String(POD_TO_POD_TTL), `TTL ${POD_TO_POD_TTL}`, `TTL ${path.ping.ttls.join()}`, lookAt(here))
  expect(path.forms.join() === 'ipip', 'only frames in IPIP', path.forms.join() || 'none', `the wire ${WIRE}`)
  const outer = request?.ip
  const ends = `${lab.node(here.node).address} > ${lab.node(far.node).address}`
  expect(
    request !== undefined && outer !== undefined && `${outer.source} > ${outer.destination}` === ends && outer.protocol === 4,
    `outer header ${ends}, protocol 4`,
    request === undefined ? 'no request' : formatFrame(request),
    `the wire ${WIRE}`,
  )
  show(`${here.name} ${here.address} -> ${far.name} ${far.address}: ttl=${POD_TO_POD_TTL}`, { ttl: POD_TO_POD_TTL })
  showFrame(request, show)
}

function showFrame(frame: Frame, show: Show): void {
  const { at: _, ...data } = frame
  show(`  wire: ${formatFrame(frame)} (${frame.length} octets)`, data)
}

function lookAt(pod: LabPod): string {
  return `npm run lab calictl -- route get --node ${pod.node}, and /run/cali/log/${pod.node}.log`
}

async function showKernel({ lab, here, far }: Cast, show: Show): Promise<void> {
  const views: readonly (readonly [where: string, argv: readonly string[], must: RegExp])[] = [
    [here.node, ['ip', 'route'], new RegExp(`${here.address} dev cali[0-9a-f]{11} proto 80 scope link`)],
    [here.node, ['ip', '-d', 'address', 'show', 'dev', 'tunl0'], /mtu 1480[\s\S]*inet 10\.244\.\d+\.\d+\/32/],
    [here.name, ['ip', 'route'], /default via 169\.254\.1\.1 dev eth0[\s\S]*169\.254\.1\.1 dev eth0 scope link/],
    [here.name, ['ip', 'neigh'], /169\.254\.1\.1 dev eth0 lladdr ee:ee:ee:ee:ee:ee/],
  ]
  for (const [where, argv, must] of views) {
    const { stdout } = await lab.exec(where, argv)
    expect(
      must.test(stdout),
      `${where}: ${argv.join(' ')} to show ${must.source}`,
      stdout,
      `npm run lab exec ${where} -- ${argv.join(' ')}`,
    )
    show(`${where}# ${argv.join(' ')}`)
    for (const line of stdout.split('\n')) show(`    ${line}`, { where, command: argv.join(' '), line })
  }
  const rows = await lab.routes(here.node)
  const remote = rows.find(({ gateway }) => gateway === lab.node(far.node).address)
  expect(
    remote?.dev === 'tunl0' && remote.protocol === '80' && remote.flags.includes('onlink'),
    `a block via ${lab.node(far.node).address} dev tunl0 proto 80 onlink`,
    JSON.stringify(remote),
    `npm run lab exec ${here.node} -- ip route`,
  )
}

async function changeModes(cast: Cast, show: Show): Promise<void> {
  await changeMode(cast, { to: 'Always', farLoss: 'none' }, show)
  await changeMode(cast, { to: 'Never', farLoss: 'all' }, show)
  await changeMode(cast, { to: 'CrossSubnet', farLoss: 'until-changed' }, show)
  const status = await agentStatus(cast.here.node)
  expect(status.problems.length === 0, 'no problems left', status.problems.join('; '), 'calictl node status')
}
