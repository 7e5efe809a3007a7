import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { prefix } from '@network/base/net/prefix.ts'
import { carriageOf } from './carriage.ts'
import type { Carriage } from './intent.ts'
import type { IpipMode } from './resources/ip-pool.ts'

const CASES: readonly [mode: IpipMode, nextHop: string, isNode: boolean, subnet: string, expected: Carriage | 'tunnel'][] = [
  ['Always', '172.16.20.12', true, '172.16.20.0/24', 'tunnel'],
  ['Always', '172.16.36.11', true, '172.16.20.0/24', 'tunnel'],
  ['Always', '172.16.20.99', false, '172.16.20.0/24', 'plain'],
  ['Always', '172.16.36.99', false, '172.16.20.0/24', 'gateway'],
  ['CrossSubnet', '172.16.20.12', true, '172.16.20.0/24', 'plain'],
  ['CrossSubnet', '172.16.36.11', true, '172.16.20.0/24', 'tunnel'],
  ['CrossSubnet', '172.16.36.11', true, '172.16.0.0/16', 'plain'],
  ['CrossSubnet', '172.16.36.99', false, '172.16.20.0/24', 'gateway'],
  ['Never', '172.16.20.12', true, '172.16.20.0/24', 'plain'],
  ['Never', '172.16.36.11', true, '172.16.20.0/24', 'gateway'],
]

for (const tunnel of ['ipip', 'vxlan'] as const)
  for (const [mode, nextHop, isNode, subnet, expected] of CASES)
    test(`${tunnel} ${mode}, ${isNode ? 'node' : 'router'} ${nextHop} seen from ${subnet}: ${expected}`, () => {
      const modes = { ipipMode: tunnel === 'ipip' ? mode : 'Never', vxlanMode: tunnel === 'vxlan' ? mode : 'Never' } as const
      const carriage = carriageOf(modes, [prefix(subnet)], { nextHop: ipv4(nextHop), isNode })
      assert.equal(carriage, expected === 'tunnel' ? tunnel : expected)
    })
