import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ForeignChain, mendingOf } from './foreign.ts'
import { OUR_COMMENT, ruleOf } from './foreign-nft.ts'
import { legacyChains, legacyCommands, legacyRemoval } from './legacy.ts'
import type { Json } from './nft.ts'
import { ACCEPT_MARKED } from './ruleset.ts'

const INTERFACES = ['eth0', 'tunl0', 'vxlan.cali']
const OURS = '-A INPUT -m mark --mark 0x10000/0x10000 -m comment --comment cali -j ACCEPT'
const INSERT = '-I INPUT 1 -m mark --mark 0x10000/0x10000 -m comment --comment cali -j ACCEPT'
const REMOVE = '-D INPUT -m mark --mark 0x10000/0x10000 -m comment --comment cali -j ACCEPT'

/** What `iptables -S` printed, and the commands that it asks for. */
const CASES: readonly (readonly [what: string, printed: readonly string[], commands: readonly string[]])[] = [
  ['nothing in it', ['-P INPUT ACCEPT'], []],
  ['a policy that drops', ['-P INPUT DROP'], [INSERT]],
  ['a policy that drops, with our rule', ['-P INPUT DROP', OURS], []],
  ['our rule where it is needed no more', ['-P INPUT ACCEPT', OURS], [REMOVE]],
  ['our rule twice', ['-P INPUT DROP', OURS, OURS], [REMOVE]],
  [
    'our rule behind what stops',
    ['-P INPUT ACCEPT', '-A INPUT -j REJECT --reject-with icmp-port-unreachable', OURS],
    [INSERT, REMOVE],
  ],
  [
    'a rule of ours that somebody changed',
    ['-P INPUT DROP', '-A INPUT -m comment --comment cali -j DROP'],
    [INSERT, '-D INPUT -m comment --comment cali -j DROP'],
  ],
  [
    'a comment that only begins like ours',
    ['-P INPUT ACCEPT', '-A INPUT -s 192.0.2.1/32 -m comment --comment california -j DROP'],
    [],
  ],
  [
    'a reject at the end',
    ['-P INPUT ACCEPT', '-A INPUT -i lo -j ACCEPT', '-A INPUT -j REJECT --reject-with icmp-host-prohibited'],
    [INSERT],
  ],
  ['an accept of all before it', ['-P INPUT DROP', '-A INPUT -j ACCEPT', '-A INPUT -j DROP'], []],
  ['a drop of one address', ['-P INPUT ACCEPT', '-A INPUT -s 192.0.2.1/32 -j DROP'], []],
  ['a drop of one port', ['-P INPUT ACCEPT', '-A INPUT -p tcp -m tcp --dport 23 -j DROP'], []],
  ['a drop of broken connections', ['-P INPUT ACCEPT', '-A INPUT -m conntrack --ctstate INVALID -j DROP'], []],
  ['a drop of new connections', ['-P INPUT ACCEPT', '-A INPUT -m conntrack --ctstate NEW,UNTRACKED -j DROP'], [INSERT]],
  ['a drop from the underlay', ['-P INPUT ACCEPT', '-A INPUT -i eth+ -m comment --comment "no strangers" -j DROP'], [INSERT]],
  ['a drop from the VXLAN device', ['-P INPUT ACCEPT', '-A INPUT -i vxlan.cali -j DROP'], [INSERT]],
  ['a drop from all but loopback', ['-P INPUT ACCEPT', '-A INPUT ! -i lo -j DROP'], [INSERT]],
  ['a drop from another NIC', ['-P INPUT ACCEPT', '-A INPUT -i virbr0 -j REJECT --reject-with icmp-port-unreachable'], []],
  [
    'a jump to what stops',
    ['-P INPUT ACCEPT', '-N A', '-N B', '-A INPUT -j A', '-A A -j LOG', '-A A -g B', '-A B -j DROP'],
    [INSERT],
  ],
  ['a jump that returns first', ['-P INPUT ACCEPT', '-N A', '-A INPUT -j A', '-A A -j RETURN', '-A A -j DROP'], []],
  ['chains in a circle', ['-P INPUT ACCEPT', '-N A', '-A INPUT -j A', '-A A -j A'], []],
  ['a chain of another hook', ['-P OUTPUT DROP'], []],
]

for (const [what, printed, commands] of CASES)
  test(`iptables-legacy, ${what}: ${commands.length === 0 ? 'left alone' : commands.join('; ')}`, () => {
    const found = legacyChains(printed.join('\n'), INTERFACES).flatMap(chain => {
      const mending = mendingOf(chain)
      return mending === undefined ? [] : legacyCommands(chain, mending)
    })
    assert.deepEqual(
      found.map(argv => argv.join(' ')),
      commands,
    )
  })

test('removal takes our rules alone', () => {
  const printed = ['-P INPUT DROP', OURS, '-A INPUT -s 192.0.2.1/32 -j ACCEPT', '-P FORWARD ACCEPT']
  assert.deepEqual(
    legacyRemoval(printed.join('\n')).map(argv => argv.join(' ')),
    [REMOVE],
  )
})

const meta = (key: string, right: unknown, op = '==') => ({ match: { op, left: { meta: { key } }, right } })
const state = (right: unknown, op = 'in') => ({ match: { op, left: { ct: { key: 'state' } }, right } })
const COUNTER = { counter: { packets: 1, bytes: 2 } }
const REJECT = { reject: { type: 'icmpx', expr: 3 } }
const address = { match: { op: '==', left: { payload: { protocol: 'ip', field: 'saddr' } }, right: '192.0.2.1' } }

/** Expressions as nft prints them, by name and by number; whether such a rule makes us insert ours. */
const RULES: readonly (readonly [what: string, expr: readonly Json[], stops: boolean])[] = [
  ['reject', [COUNTER, REJECT], true],
  ['log and drop', [{ log: { prefix: 'x' } }, { drop: null }], true],
  ['reject of iptables', [COUNTER, { xt: { type: 'target', name: 'REJECT' } }], true],
  ['log of iptables', [{ xt: { type: 'target', name: 'LOG' } }], false],
  ['drop behind a match of iptables', [{ xt: { type: 'match', name: 'conntrack' } }, { drop: null }], false],
  ['drop of an address', [address, { drop: null }], false],
  ['drop at a rate', [{ limit: { rate: 3, per: 'minute' } }, { drop: null }], false],
  ['drop by a map', [{ vmap: { key: { ct: { key: 'state' } }, data: { set: [[1, { drop: null }]] } } }], false],
  ['drop of invalid, by number', [state(1), { drop: null }], false],
  ['drop of invalid, by name', [state('invalid'), { drop: null }], false],
  ['drop of new, by number', [state([8, 64]), { drop: null }], true],
  ['drop of new, by name, in a set', [state({ set: ['new', 'untracked'] }, '=='), { drop: null }], true],
  ['drop of all but established', [state(2, '!='), { drop: null }], true],
  ['drop of all but new', [state(8, '!='), { drop: null }], false],
  ['drop from loopback', [meta('iifname', 'lo'), { drop: null }], false],
  ['drop from all but loopback', [meta('iifname', 'lo', '!='), { drop: null }], true],
  ['drop from the underlay among others', [meta('iifname', { set: ['eth0', 'eth1'] }), { drop: null }], true],
  ['drop from the VXLAN device', [meta('iifname', 'vxlan.cali'), { drop: null }], true],
  ['drop from all VXLAN devices', [meta('iifname', 'vxlan*'), { drop: null }], true],
  ['drop from the VXLAN device of others', [meta('iifname', 'vxlan.theirs'), { drop: null }], false],
  ['drop to pods', [meta('oifname', 'cali*'), { drop: null }], true],
  ['drop from another NIC', [meta('iifname', 'virbr0'), { drop: null }], false],
  ['drop of IPv4', [meta('nfproto', 2), { drop: null }], true],
  ['accept', [{ accept: null }], false],
]

for (const [what, expr, stops] of RULES)
  test(`nftables, ${what}: ${stops ? 'stops pods' : 'left alone'}`, () => {
    const rule = ruleOf({ handle: 5, expr }, INTERFACES)
    assert.deepEqual(mendingOf(chainOf([rule])), stops ? { insert: true, remove: [] } : undefined)
  })

test('our own rule is known whatever it has counted, and is no reason to stop looking', () => {
  const ours = ruleOf(
    { handle: 4, comment: OUR_COMMENT, expr: ACCEPT_MARKED.map(each => ('counter' in each ? COUNTER : each)) },
    INTERFACES,
  )
  assert.deepEqual([ours.ours, ours.handle], ['right', '4'])
  assert.equal(mendingOf(chainOf([ours, ruleOf({ handle: 5, expr: [REJECT] }, INTERFACES)])), undefined)
  const changed = ruleOf({ handle: 6, comment: OUR_COMMENT, expr: [address, { accept: null }] }, INTERFACES)
  assert.deepEqual(mendingOf(chainOf([changed, ruleOf({ handle: 5, expr: [REJECT] }, INTERFACES)])), {
    insert: true,
    remove: ['6'],
  })
})

function chainOf(rules: ForeignChain['rules']): ForeignChain {
  return { name: 'inet host arriving', hook: 'input', policy: 'accept', rules, others: new Map() }
}
