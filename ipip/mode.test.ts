import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { prefix } from '@network/base/net/prefix.ts'
import type { Carriage } from '@network/model/intent.ts'
import type { IpipMode } from '@network/model/resources/ip-pool.ts'
import { carriageOf } from './mode.ts'

const CASES: readonly [mode: IpipMode, nextHop: string, isNode: boolean, subnet: string, expected: Carriage][] = [
  ['Always', '172.16.20.12', true, '172.16.20.0/24', 'ipip'],
  ['Always', '172.16.36.11', true, '172.16.20.0/24', 'ipip'],
  ['Always', '172.16.20.99', false, '172.16.20.0/24', 'plain'],
  ['Always', '172.16.36.99', false, '172.16.20.0/24', 'gateway'],
  ['CrossSubnet', '172.16.20.12', true, '172.16.20.0/24', 'plain'],
  ['CrossSubnet', '172.16.36.11', true, '172.16.20.0/24', 'ipip'],
  ['CrossSubnet', '172.16.36.11', true, '172.16.0.0/16', 'plain'],
  ['CrossSubnet', '172.16.36.99', false, '172.16.20.0/24', 'gateway'],
  ['Never', '172.16.20.12', true, '172.16.20.0/24', 'plain'],
  ['Never', '172.16.36.11', true, '172.16.20.0/24', 'gateway'],
]

for (const [mode, nextHop, isNode, subnet, expected] of CASES)
  test(`${mode}, ${isNode ? 'node' : 'router'} ${nextHop} seen from ${subnet}: ${expected}`, () => {
    assert.equal(carriageOf(mode, [prefix(subnet)], { nextHop: ipv4(nextHop), isNode }), expected)
  })
