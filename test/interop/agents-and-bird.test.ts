/** A real BIRD 2 as a fifth peer of four real nodes: routes both ways, into its table and into our kernels. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { must } from '../e2e/frozen.ts'
import { agentStatus, everyAgent, meshIsUp } from '../lab/agent-status.ts'
import type { RunningCommand } from '../lab/command.ts'
import { createLab, type Lab } from '../lab/lab.ts'
import { ping } from '../lab/ping.ts'
import { topology } from '../lab/topology.ts'
import { until } from '../lab/until.ts'

/** The router of the fabric runs BIRD on its address in the first rack. */
const BIRD = '172.16.20.1'
/** A block that lives behind BIRD: inside the pool, so that our nodes take it. */
const BEHIND_BIRD = '10.244.250.0/26'
const HOST_BEHIND_BIRD = '10.244.250.1'
/** Outside of all pools: no peer may reroute a node. */
const OUTSIDE = '198.51.100.0/24'

let lab: Lab
let bird: RunningCommand | undefined
before(async () => {
  lab = await createLab(topology(2, 2, 1), {
    pool: { cidr: '10.244.0.0/16', ipip: 'Never' },
    agentConfig: `bgp:\n  peers:\n    - { name: tor, address: ${BIRD}, asNumber: 64512 }\n`,
  })
  await must(lab, 'router', 'ip', 'address', 'add', `${HOST_BEHIND_BIRD}/32`, 'dev', 'lo')
  writeFileSync('/run/cali/bird.conf', configuration(lab))
  bird = lab.spawnIn('router', ['bird', '-f', '-c', '/run/cali/bird.conf', '-s', '/run/cali/bird.ctl'])
  await everyAgent(lab, 'the mesh and BIRD', status => meshIsUp(lab)(status) && sessionWithBird(status) === 'established')
})
after(async () => {
  bird?.kill()
  await lab[Symbol.asyncDispose]()
})

test('BIRD hears every block, with the node as next hop, and can route to pods of both racks by it', async () => {
  const shown = await must(
    lab,
    'router',
    'birdc',
    '-s',
    '/run/cali/bird.ctl',
    'show',
    'route',
    'all',
    'protocol',
    '~',
    'node_*',
  ).catch(() => must(lab, 'router', 'birdc', '-s', '/run/cali/bird.ctl', 'show', 'route', 'all'))
  for (const node of lab.nodes) {
    const { bgp } = await agentStatus(node.name)
    for (const block of bgp.originated)
      assert.match(shown, new RegExp(`${block.replaceAll('.', '\\.')}[\\s\\S]*?via ${node.address}`))
  }
  assert.match(shown, /BGP\.local_pref: 100/)
  assert.match(shown, /BGP\.origin: IGP/)
})

test('with a router that knows the blocks, mode Never reaches across racks without a tunnel', async () => {
  assert.equal((await ping(lab, 'a1-p1', lab.pod('b1-p1').address, 1)).received, 0, 'P0: the router does not know the pods')
  await must(lab, 'router', 'birdc', '-s', '/run/cali/bird.ctl', 'enable', 'to_kernel')
  await until(async () => (await ping(lab, 'a1-p1', lab.pod('b1-p1').address, 1)).received === 1, {
    clock: lab.clock,
    what: 'the router to learn the pods',
  })
})

test('our nodes install what BIRD announces inside the pool, refuse what is outside, and the packets pass', async () => {
  for (const node of lab.nodes) {
    const rows = await until(
      async () => {
        const found = await lab.routes(node.name)
        return found.some(({ dst }) => dst === BEHIND_BIRD) ? found : undefined
      },
      { clock: lab.clock, what: `${BEHIND_BIRD} on ${node.name}` },
    )
    const row = rows.find(({ dst }) => dst === BEHIND_BIRD)
    assert.deepEqual([row?.dev, row?.protocol, row?.metric], ['eth0', '80', 1024])
    assert.equal(row?.gateway, node.rack === 'a' ? BIRD : node.gateway)
    assert.equal(
      rows.some(({ dst }) => dst === OUTSIDE),
      false,
    )
  }
  const reply = await ping(lab, 'a1-p1', HOST_BEHIND_BIRD)
  assert.deepEqual([reply.received, reply.ttls], [3, [63]])
})

test('P0: withdrawn by BIRD, the kernel no longer matches its block; announced again, it does', async () => {
  assert.match(await matched(), /^10\.244\.250\.0\/26 via 172\.16\.20\.1 dev eth0 proto 80/)
  await must(lab, 'router', 'birdc', '-s', '/run/cali/bird.ctl', 'disable', 'behind')
  await until(async () => (await matched()).startsWith('default'), {
    clock: lab.clock,
    what: 'the withdrawal',
  })
  await must(lab, 'router', 'birdc', '-s', '/run/cali/bird.ctl', 'enable', 'behind')
  await until(async () => (await matched()).startsWith(BEHIND_BIRD), {
    clock: lab.clock,
    what: 'the block to be back',
  })
})

test('BIRD killed and gone: its route goes at the latest when its restart time is over, and the mesh does not blink', async () => {
  const before = await agentStatus('a1')
  bird?.kill('SIGTERM')
  await bird?.ended
  await until(async () => !(await lab.routes('a1')).some(({ dst }) => dst === BEHIND_BIRD), {
    clock: lab.clock,
    what: 'the route of a BIRD that said goodbye to go',
  })
  const after = await agentStatus('a1')
  const mesh = (status: typeof after) =>
    status.bgp.peers.filter(({ type }) => type === 'mesh').map(({ name, since }) => [name, since])
  assert.deepEqual(mesh(after), mesh(before))
})

/** The row of the kernel's table that a packet of a1 for the host behind BIRD follows. */
function matched(): Promise<string> {
  return must(lab, 'a1', 'ip', 'route', 'get', 'fibmatch', HOST_BEHIND_BIRD)
}

function sessionWithBird(status: Awaited<ReturnType<typeof agentStatus>>): string | undefined {
  return status.bgp.peers.find(({ address }) => address === BIRD)?.state
}

function configuration({ nodes }: Lab): string {
  const peers = nodes.map(
    ({ name, address }) => `
protocol bgp node_${name} {
  local ${BIRD} as 64512;
  neighbor ${address} as 64512;
  multihop 2;
  connect delay time 1;
  connect retry time 2;
  ipv4 { import all; export where source = RTS_STATIC; next hop self; };
}`,
  )
  return `
router id ${BIRD};
protocol device { scan time 2; }
protocol direct { ipv4; }
protocol static behind { ipv4; route ${BEHIND_BIRD} blackhole; }
protocol static outside { ipv4; route ${OUTSIDE} blackhole; }
protocol kernel to_kernel { disabled; ipv4 { import none; export where source = RTS_BGP; }; }
${peers.join('\n')}
`
}
