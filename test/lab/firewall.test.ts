/** The firewall alone against a real kernel: other people's chains of every kind, and that nothing of ours is left behind. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { systemElements } from '@network/agent/kernel/firewall/elements.ts'
import { Firewall } from '@network/agent/kernel/firewall/firewall.ts'
import { hearRuleset } from '@network/agent/kernel/firewall/hear.ts'
import { systemLegacy } from '@network/agent/kernel/firewall/legacy.ts'
import { systemNft } from '@network/agent/kernel/firewall/nft.ts'
import { removeFirewall } from '@network/agent/kernel/firewall/remove.ts'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { systemClock as clock, systemRandom as random } from '@network/base/time/clock.ts'
import { millis } from '@network/base/time/units.ts'
import type { FirewallIntent } from '@network/model/intent.ts'
import { NetlinkClient } from '@network/netlink/client.ts'
import { addLink } from '@network/netlink/link.ts'
import { type KeyField, SetElements } from '@network/netlink/set-elements.ts'
import { execa } from 'execa'
import { until } from './until.ts'

const WITHIN = { clock, every: millis(50) }
const POD = ipv4('10.244.0.2')
const NODE = ipv4('172.16.20.12')
const INTENT: FirewallIntent = {
  underlay: 'eth0',
  pools: [],
  natPools: [],
  vxlan: undefined,
  tunnels: [],
  nodes: new Set([NODE]),
  peers: new Set([NODE]),
  sources: [{ device: 'cali0123456789a', address: POD }],
}

const POD_INTERFACES = ['cali0123456789a', 'cali0123456789b', 'cali0123456789c']
const ending = new AbortController()
const said: string[] = []
const log = { debug: quiet, info: quiet, warn: (line: string) => said.push(line), error: (line: string) => said.push(line) }
const elements = systemElements(log)
const netlink = NetlinkClient.open()
const interfaces = () => netlink.links().map(({ name }) => name)
const hasInterface = (name: string) => netlink.link(name) !== undefined
const firewall = new Firewall({
  nft: systemNft,
  elements,
  legacy: systemLegacy,
  hasInterface,
  interfaces,
  clock,
  random,
  log,
  changed: quiet,
})
const running = [firewall.run(ending.signal), hearRuleset({ firewall, elements, log }, ending.signal)]

before(async () => {
  for (const each of POD_INTERFACES) netlink.perform(addLink({ name: each, kind: 'bridge' }))
  await sh(
    'nft add table inet bait; nft add chain inet bait c "{ type filter hook input priority 0; }"; nft add rule inet bait c ip saddr 192.0.2.1 drop',
  )
})
after(async () => {
  ending.abort()
  await Promise.all(running)
  elements[Symbol.dispose]()
  netlink[Symbol.dispose]()
})

test('the element of a pod is there when its wait ends, and a peer is admitted once the table is', async () => {
  assert.deepEqual([firewall.decided, firewall.admits(NODE), firewall.converged], [false, false, false])
  firewall.desire(INTENT)
  await firewall.reached(POD, 'installed', ending.signal)
  const first = await sh('nft list chain netdev cali cali0123456789a')
  assert.match(first, /hook ingress device "cali0123456789a" .*\n\t\tip saddr 10\.244\.0\.2 goto known\n\t\tgoto strangers\n/)
  assert.deepEqual([firewall.decided, firewall.admits(NODE), firewall.admits(ipv4('192.0.2.1'))], [true, true, false])
  assert.equal((await firewall.status()).active, true)
  firewall.desire({ ...INTENT, sources: [...INTENT.sources, { device: 'cali0123456789b', address: ipv4('10.244.0.3') }] })
  await firewall.reached(ipv4('10.244.0.3'), 'installed', ending.signal)
  assert.equal(typeof elements.port, 'number', 'it went the short way')
  const second = await sh('nft list chain netdev cali cali0123456789b')
  const nobodys = await sh('nft list chain netdev cali cali0123456789c')
  assert.match(nobodys, /policy accept;\n\t\tgoto strangers\n/, 'an interface of nobody may send nothing')
  assert.equal(second, first.replaceAll('456789a', '456789b').replace('10.244.0.2', '10.244.0.3'), 'and reads as what nft wrote')
  assert.deepEqual([firewall.converged, firewall.repairs.count, said], [true, 0, []])
})

const OURS_IN_NFT = /meta mark & 0x00010000 == 0x00010000 counter packets 0 bytes 0 accept comment "cali"/
/** What an operator sets up, how it shows with our rule in it, and how both are taken away. */
interface Trap {
  readonly what: string
  readonly set: string
  readonly show: string
  readonly ours: RegExp
  /** What a stranger does to our rule. */
  readonly take: string
  readonly clear: string
}

/** Kernels without these tables are many by now; an ordinary user cannot load them. The reading of them is tested without a kernel. */
const LEGACY = (await execa('iptables-legacy', ['-S'], { reject: false, stdin: 'ignore' })).exitCode === 0
const LIST_ALL = LEGACY ? 'nft list ruleset; iptables-legacy -S' : 'nft list ruleset'
const FORWARD_OF_LEGACY: Trap = {
  what: 'FORWARD DROP of iptables-legacy',
  set: 'iptables-legacy -P FORWARD DROP',
  show: 'iptables-legacy -S FORWARD',
  take: 'iptables-legacy -D FORWARD 1',
  ours: /^-P FORWARD DROP\n-A FORWARD -m mark --mark 0x10000\/0x10000 -m comment --comment cali -j ACCEPT$/,
  clear: 'iptables-legacy -P FORWARD ACCEPT',
}

const TRAPS: readonly Trap[] = [
  {
    what: 'FORWARD DROP of iptables-nft',
    set: 'iptables -P FORWARD DROP',
    show: 'iptables -S FORWARD',
    take: 'iptables -D FORWARD 1',
    ours: /^-P FORWARD DROP\n-A FORWARD -m mark --mark 0x10000\/0x10000 -m comment --comment cali -j ACCEPT$/,
    clear: 'iptables -P FORWARD ACCEPT',
  },
  {
    what: 'INPUT with a REJECT at its end, of iptables-nft',
    set: 'iptables -A INPUT -i lo -j ACCEPT; iptables -A INPUT -j REJECT',
    show: 'iptables -S INPUT',
    take: 'iptables -D INPUT 1',
    ours: /^-P INPUT ACCEPT\n-A INPUT -m mark --mark 0x10000\/0x10000 -m comment --comment cali -j ACCEPT\n-A INPUT -i lo -j ACCEPT\n-A INPUT -j REJECT/,
    clear: 'iptables -F INPUT',
  },
  {
    what: 'INPUT that jumps to a chain which logs and drops',
    set: 'iptables -N LOGDROP; iptables -A LOGDROP -j LOG; iptables -A LOGDROP -j DROP; iptables -A INPUT -i lo -j ACCEPT; iptables -A INPUT -j LOGDROP',
    show: 'iptables -S INPUT',
    take: 'iptables -D INPUT 1',
    ours: /^-P INPUT ACCEPT\n-A INPUT -m mark --mark 0x10000\/0x10000/,
    clear: 'iptables -F INPUT',
  },
  ...(LEGACY ? [FORWARD_OF_LEGACY] : []),
  {
    what: 'a chain of nftables with policy drop',
    set: 'nft add table ip host; nft add chain ip host passing "{ type filter hook forward priority 5; policy drop; }"',
    show: 'nft list chain ip host passing',
    take: 'nft flush chain ip host passing',
    ours: OURS_IN_NFT,
    clear: 'nft delete table ip host',
  },
  {
    what: 'a chain like that of firewalld',
    set: `nft add table inet wall; nft add chain inet wall arriving "{ type filter hook input priority 10; }"
          nft add rule inet wall arriving ct state established,related accept; nft add rule inet wall arriving iifname lo accept
          nft add rule inet wall arriving ct state invalid drop; nft add rule inet wall arriving reject with icmpx admin-prohibited`,
    show: 'nft list chain inet wall arriving',
    take: 'nft flush chain inet wall arriving; nft add rule inet wall arriving reject',
    ours: OURS_IN_NFT,
    clear: 'nft delete table inet wall',
  },
]

for (const { what, set, show, ours, take, clear } of TRAPS)
  test(`M22, M51: ${what}: one rule of ours on top, again after it was taken, gone with the trap`, async () => {
    await sh(set)
    assert.doesNotMatch(await sh(show), ours, 'P0')
    await until(async () => ours.test(await sh(show)), { ...WITHIN, what: 'our rule' })
    const { count } = firewall.repairs
    await until(() => firewall.converged, { ...WITHIN, what: 'it to be seen' })
    await sh(take)
    await until(async () => ours.test(await sh(show)), { ...WITHIN, what: 'our rule again' })
    assert.ok(firewall.repairs.count > count, 'the repair is counted')
    await sh(clear)
    await until(async () => !(await sh(LIST_ALL)).includes('0x10000/'), {
      ...WITHIN,
      what: 'our rule to be gone',
    })
    await until(async () => !OURS_IN_NFT.test(await sh('nft list ruleset')), { ...WITHIN, what: 'our rule to be gone' })
  })

test('elements without nft: all or none, seen to be there, and false where the kernel refuses any', async () => {
  const key = (device: string): readonly KeyField[] => [
    { is: 'interface', name: device },
    { is: 'address', address: POD },
  ]
  const listed = () => sh('nft list set inet bait s')
  await sh('nft add set inet bait s "{ type ifname . ipv4_addr; }"')
  using bait = SetElements.open('bait')
  assert.equal(bait.change([{ set: 's', verb: 'add', key: key('cali1') }]), true)
  assert.match(await listed(), /"cali1" \. 10\.244\.0\.2 }/)
  assert.equal(
    bait.change([
      { set: 's', verb: 'add', key: key('cali2') },
      { set: 's', verb: 'delete', key: key('cali3') },
    ]),
    false,
  )
  assert.match(await listed(), /elements = { "cali1" \. 10\.244\.0\.2 }/, 'P0: nothing of what was refused')
  assert.equal(bait.change([{ set: 'none', verb: 'add', key: key('cali2') }]), false)
  assert.equal(
    bait.change([
      { set: 's', verb: 'add', key: key('cali2') },
      { set: 's', verb: 'delete', key: key('cali1') },
    ]),
    true,
  )
  assert.match(await listed(), /elements = { "cali2" \. 10\.244\.0\.2 }/)
  await sh('nft delete set inet bait s')
})

test('chains that stop nobody but whom they mean have nothing of ours', async () => {
  const rules = await sh('nft list table inet bait')
  assert.match(
    rules,
    /chain c \{\n\t\ttype filter hook input priority filter; policy accept;\n\t\tip saddr 192\.0\.2\.1 drop\n\t\}/,
  )
})

test('P9: removed, nothing of ours is left and all else is as it was; done twice, it finds nothing', async () => {
  ending.abort()
  await Promise.all(running)
  await sh('nft delete table inet cali; nft delete table netdev cali; iptables -P FORWARD DROP')
  if (LEGACY) await sh('iptables-legacy -P FORWARD DROP')
  const without = await sh(LIST_ALL)
  const again = new AbortController()
  const second = new Firewall({
    nft: systemNft,
    elements,
    legacy: systemLegacy,
    hasInterface,
    interfaces,
    clock,
    random,
    log,
    changed: quiet,
  })
  const run = second.run(again.signal)
  second.desire(INTENT)
  const chains = ['nft chain ip filter FORWARD', ...(LEGACY ? ['iptables-legacy chain FORWARD'] : [])]
  await until(async () => (await sh(LIST_ALL)).match(/comment "?cali/g)?.length === chains.length, {
    ...WITHIN,
    what: 'our rules',
  })
  again.abort()
  await run
  const { removed, problems } = await removeFirewall()
  assert.deepEqual(
    [removed, problems],
    [[...chains.map(chain => `accept rule in ${chain}`), 'nft table inet cali', 'nft table netdev cali'], []],
  )
  assert.equal(await sh(LIST_ALL), without)
  assert.deepEqual(await removeFirewall(), { removed: [], problems: [] })
})

async function sh(script: string): Promise<string> {
  const { stdout, stderr, exitCode } = await execa('sh', ['-c', script], { reject: false, stdin: 'ignore' })
  assert.equal(exitCode, 0, `${script}: ${stderr}`)
  return stdout
}

function quiet(): void {
  // What is told is of no interest here.
}
