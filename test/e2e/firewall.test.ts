/** Firewalls set up before us do not stop pods, and ours stops forgers: all on nodes of one rack, without ipip. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { agentStatus, everyAgent, meshIsUp } from '../lab/agent-status.ts'
import { echoRequest, inIpip } from '../lab/forge.ts'
import { PROTOCOL } from '../lab/frame.ts'
import { createLab, type Lab } from '../lab/lab.ts'
import { ping } from '../lab/ping.ts'
import { topology } from '../lab/topology.ts'
import { until } from '../lab/until.ts'
import {
  assertArrives,
  assertDropped,
  COUNT,
  DELETE_TABLES,
  dropped,
  type Forgery,
  LIST_TABLES,
  REPAIRED,
  tableIsBack,
  tableOf,
} from './firewall.ts'
import { hostInterfaceOf, must, whileFrozen } from './frozen.ts'

/** As RHEL and Docker leave a machine, in the tables of iptables-nft. */
const IPTABLES = `
  iptables -P FORWARD DROP
  iptables -A FORWARD -j REJECT --reject-with icmp-host-prohibited
  iptables -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
  iptables -A INPUT -i lo -j ACCEPT
  iptables -A INPUT -p tcp --dport 22 -j ACCEPT
  iptables -A INPUT -j REJECT --reject-with icmp-host-prohibited`
/** The same thing said to nftables itself, with a chain in between. */
const NFT = `nft -f - <<'END'
table inet host {
  chain refuse { reject with icmpx admin-prohibited; }
  chain arriving { type filter hook input priority 0; policy accept; ct state established,related accept; iifname lo accept; jump refuse; }
  chain passing { type filter hook forward priority 0; policy drop; }
}
END`

let lab: Lab
before(async () => {
  lab = await createLab(topology(1, 2, 2), {
    pool: { cidr: '10.244.0.0/16', ipip: 'Never' },
    prepare: ({ name }) => (name === 'a1' ? IPTABLES : NFT),
  })
  await everyAgent(lab, 'the whole mesh', meshIsUp(lab))
})
after(() => lab[Symbol.asyncDispose]())

const OURS = /mark match 0x10000\/0x10000|--mark 0x10000\/0x10000/
const SPOOFED = '10.99.99.99'

test('M22, M51: FORWARD DROP and INPUT REJECT set before us: sessions come up and pods talk; P0: without our rule they do not', async () => {
  const pairs = [
    ['a1-p1', 'a1-p2'],
    ['a1-p1', 'a2-p1'],
    ['a2-p1', 'a2-p2'],
    ['a1', 'a1-p1'],
    ['a1', 'a2-p1'],
  ] as const
  for (const [from, to] of pairs) assert.equal((await ping(lab, from, lab.pod(to).address)).received, 3, `${from} to ${to}`)

  const lost = await whileFrozen(lab, 'a1', async () => {
    await must(lab, 'a1', 'iptables', '-D', 'FORWARD', '1')
    return ping(lab, 'a1-p1', lab.pod('a1-p2').address, 1)
  })
  assert.equal(lost.received, 0, 'P0')
  await until(async () => OURS.test(await must(lab, 'a1', 'iptables', '-S', 'FORWARD')), {
    clock: lab.clock,
    what: 'our rule to be back',
    ...REPAIRED,
  })
  assert.equal((await ping(lab, 'a1-p1', lab.pod('a1-p2').address)).received, 3)
  assert.match(JSON.stringify((await agentStatus('a1')).repairs), /accept rule in nft chain ip filter FORWARD/)
})

test('M22, M51: their policies and rules are as they were, with one rule of ours on top, limited to our peers', async () => {
  const rules = await must(lab, 'a1', 'iptables', '-S')
  assert.deepEqual(rules.trim().split('\n'), [
    '-P INPUT ACCEPT',
    '-P FORWARD DROP',
    '-P OUTPUT ACCEPT',
    '-A INPUT -m mark --mark 0x10000/0x10000 -m comment --comment cali -j ACCEPT',
    '-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
    '-A INPUT -i lo -j ACCEPT',
    '-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT',
    '-A INPUT -j REJECT --reject-with icmp-host-prohibited',
    '-A FORWARD -m mark --mark 0x10000/0x10000 -m comment --comment cali -j ACCEPT',
    '-A FORWARD -j REJECT --reject-with icmp-host-prohibited',
  ])
  assert.match(await must(lab, 'a2', 'nft', 'list', 'chain', 'inet', 'host', 'passing'), /policy drop/)
  const { stdout } = await lab.exec('router', ['ping', '-n', '-c', '1', '-W', '1', lab.node('a1').address])
  assert.match(stdout, /Prohibited/, 'a stranger is refused as before')
})

test('a rule that is put on top of ours is passed by again, and one that goes takes ours with it', async () => {
  await must(lab, 'a1', 'iptables', '-I', 'FORWARD', '-j', 'REJECT')
  await until(async () => /^-P FORWARD DROP\n-A FORWARD -m mark/.test(await must(lab, 'a1', 'iptables', '-S', 'FORWARD')), {
    clock: lab.clock,
    what: 'our rule to be first again',
    ...REPAIRED,
  })
  await must(
    lab,
    'a1',
    'sh',
    '-c',
    'iptables -P FORWARD ACCEPT; iptables -D FORWARD -j REJECT; iptables -D FORWARD -j REJECT --reject-with icmp-host-prohibited; iptables -D INPUT -j REJECT --reject-with icmp-host-prohibited',
  )
  await must(lab, 'a2', 'nft', 'delete', 'table', 'inet', 'host')
  await until(async () => !OURS.test(await must(lab, 'a1', 'iptables', '-S')), {
    clock: lab.clock,
    what: 'our rules to go',
    ...REPAIRED,
  })
  assert.equal((await ping(lab, 'a1-p1', lab.pod('a2-p1').address)).received, 3)
})

test('M68: a pod cannot send from an address that is not its own: dropped and counted; P0: it arrives without our table', async () => {
  const forgery = await fromPod(echoRequest({ source: SPOOFED, destination: lab.pod('a1-p2').address }, 7), 'a1-p2:eth0')
  await whileFrozen(lab, 'a1', async () => {
    // The kernel's own check would hide what ours does.
    const device = await hostInterfaceOf(lab, 'a1-p1')
    for (const each of ['all', device]) await must(lab, 'a1', 'sysctl', '-qw', `net.ipv4.conf.${each}.rp_filter=0`)
    await assertDropped(lab, forgery, { node: 'a1', counter: 'spoofed-source' })
    await must(lab, 'a1', ...DELETE_TABLES)
    await assertArrives(lab, forgery)
  })
  await tableIsBack(lab, 'a1')
  await assertDropped(lab, forgery, { node: 'a1', counter: 'spoofed-source' })
  // The first three went with the table that was deleted.
  await until(async () => (await agentStatus('a1')).firewall.dropped.spoofedSource === COUNT, {
    clock: lab.clock,
    what: 'the status to tell of them',
    ...REPAIRED,
    instead: async () => JSON.stringify((await agentStatus('a1')).firewall),
  })
  const { stdout } = await lab.calictl(['node', 'status', 'a1', '-o', 'json'])
  assert.match(stdout, new RegExp(`"forgedIpip": 0,\\s+"forgedVxlan": 0,\\s+"spoofedSource": ${COUNT}\\b`))
})

test('M68: a pod cannot send the address of another pod, nor protocol 4, not even to a node of ours; P0: it arrives without our table', async () => {
  const asNeighbour = echoRequest({ source: lab.pod('a1-p2').address, destination: lab.pod('a2-p1').address }, 8)
  await assertDropped(lab, await fromPod(asNeighbour, 'a2-p1:eth0'), { node: 'a1', counter: 'spoofed-source' })

  const { address } = lab.pod('a1-p1')
  const inner = echoRequest({ source: lab.pod('a2-p2').address, destination: lab.pod('a2-p1').address }, 9)
  const forgery = await fromPod(inIpip({ source: address, destination: lab.node('a2').address }, inner), 'a2:eth0')
  await whileFrozen(lab, 'a1', async () => {
    await assertDropped(lab, forgery, { node: 'a1', counter: 'forged-ipip' })
    await must(lab, 'a1', ...DELETE_TABLES)
    await assertArrives(lab, forgery)
  })
  await tableIsBack(lab, 'a1')
})

test('P7: the table is back after it was deleted, emptied, put to sleep or flushed with all others; the status counts it', async () => {
  const whole = await tableOf(lab, 'a1')
  const { count } = (await agentStatus('a1')).repairs
  const meddlings = [
    ['delete', 'table', 'inet', 'cali'],
    ['delete', 'table', 'netdev', 'cali'],
    ['flush', 'ruleset'],
    ['flush', 'chain', 'inet', 'cali', 'input'],
    ['flush', 'chain', 'netdev', 'cali', await hostInterfaceOf(lab, 'a1-p1')],
    ['add', 'table', 'inet', 'cali', '{ flags dormant; }'],
    ['add', 'table', 'netdev', 'cali', '{ flags dormant; }'],
    ['delete', 'element', 'inet', 'cali', 'nodes', `{ ${lab.node('a2').address} }`],
    ['add', 'element', 'inet', 'cali', 'nodes', '{ 192.0.2.1 }'],
    ['insert', 'rule', 'netdev', 'cali', 'known', 'accept'],
    ['insert', 'rule', 'netdev', 'cali', await hostInterfaceOf(lab, 'a1-p1'), 'accept'],
    ['delete', 'chain', 'netdev', 'cali', await hostInterfaceOf(lab, 'a1-p1')],
  ]
  for (const [at, meddling] of meddlings.entries()) {
    await must(lab, 'a1', 'nft', ...meddling)
    assert.notEqual((await lab.exec('a1', LIST_TABLES)).stdout, whole, 'P0')
    await until(async () => (await agentStatus('a1')).repairs.count > count + at, {
      clock: lab.clock,
      what: `nft ${meddling.join(' ')} to be repaired`,
      ...REPAIRED,
    })
    // Settled as well: what changes before it was read back is no change of what was right.
    await until(
      async () =>
        (await agentStatus('a1')).converged &&
        (await lab.exec('a1', LIST_TABLES)).exitCode === 0 &&
        (await tableOf(lab, 'a1')) === whole,
      {
        clock: lab.clock,
        what: `the table as it was before nft ${meddling.join(' ')}`,
        ...REPAIRED,
        instead: async () => `${await tableOf(lab, 'a1')}\ninstead of\n${whole}`,
      },
    )
  }
  assert.equal((await ping(lab, 'a1-p1', lab.pod('a2-p1').address)).received, 3)
  assert.match(JSON.stringify((await agentStatus('a1')).repairs.last), /nft table inet cali.*missing/)
})

test('the table survives kill -9 of the agent, and its return changes nothing', async () => {
  const whole = await tableOf(lab, 'a1')
  const before = await dropped(lab, 'a1', 'forged-ipip')
  const monitor = lab.spawnIn('a1', ['nft', 'monitor'])
  let heard = ''
  monitor.stdout.on('data', chunk => {
    heard += chunk
  })
  await lab.agents.kill('a1', 'SIGKILL')
  assert.equal(await tableOf(lab, 'a1'), whole)
  const packet = inIpip({ source: lab.pod('a1-p1').address, destination: lab.node('a2').address }, new Uint8Array(20))
  await assertDropped(lab, await fromPod(packet, 'a2:eth0'), { node: 'a1', counter: 'forged-ipip' })
  await lab.agents.start('a1')
  await everyAgent(lab, 'the whole mesh', meshIsUp(lab))
  assert.equal(await tableOf(lab, 'a1'), whole)
  assert.equal((await agentStatus('a1')).firewall.dropped.forgedIpip, before + COUNT, 'counts go on')
  monitor.kill()
  await monitor.ended
  assert.equal(heard, '')
})

test('a node that leaves is let in no more', async () => {
  const { address } = lab.node('a2')
  assert.ok((await must(lab, 'a1', 'nft', 'list', 'set', 'inet', 'cali', 'nodes')).includes(address), 'P0')
  await lab.agents.kill('a2')
  assert.equal((await lab.calictl(['node', 'delete', 'a2'])).exitCode, 0)
  await until(async () => !(await tableOf(lab, 'a1')).includes(address), {
    clock: lab.clock,
    what: 'a2 to be out of all sets of a1',
    ...REPAIRED,
  })
})

/** From the first pod of a1, by way of its gateway. */
async function fromPod(packet: Uint8Array, arrivesAt: string): Promise<Forgery> {
  const isIpip = packet[9] === PROTOCOL.ipip
  const source = packet.slice(12, 16).join('.')
  return {
    from: 'a1-p1:eth0',
    to: 'ee:ee:ee:ee:ee:ee',
    packet,
    arrivesAt,
    isIt: ({ ip }) => ip?.source === source && ip.protocol === (isIpip ? PROTOCOL.ipip : PROTOCOL.icmp),
  }
}
