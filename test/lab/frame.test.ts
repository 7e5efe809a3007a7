import assert from 'node:assert/strict'
import test from 'node:test'
import { ManualClock } from '@network/base/testing/manual-clock.ts'
import { decodeFrame, formatFrame, innermost } from './frame.ts'

/** Each headed by the command that made it; read by dumpcap on `router:rack-a` of a lab unless told. */
const fixtures: readonly [string, string, string][] = [
  [
    'from a1-p1: ping -c1 -s 8 10.244.19.193',
    `0ef55d9cbff50674ab8c64a408004500 0038ebbb40003f04bfcfac10140bac10 240b450000242d8840003f01afa70af4
     35010af413c10800eb6c008200010001 020304050607`,
    '172.16.20.11 > 172.16.36.11 IPIP (protocol 4) ttl 63 | 10.244.53.1 > 10.244.19.193 ICMP echo request 1 ttl 63',
  ],
  [
    'its reply',
    `0674ab8c64a40ef55d9cbff508004500 0038ba3c00003e04324fac10240bac10 140b450000245a8200003f01c2ad0af4
     13c10af435010000f36c008200010001 020304050607`,
    '172.16.36.11 > 172.16.20.11 IPIP (protocol 4) ttl 62 | 10.244.19.193 > 10.244.53.1 ICMP echo reply 1 ttl 63',
  ],
  [
    'ping -c1 -s 8 10.244.0.2, over "ip link add type vxlan id 4096 dstport 4789 …" of two namespaces, on their veth',
    `32108d1e57e632f111db6eff08004500 0056ce7d000040112bf6ac101401ac10 1402e2ab12b500428077080000000010
     000092cf725abc42f25afd82c81a0800 45000024311740004001f3d70af40001 0af400020800ebd90015000100010203
     04050607`,
    '172.16.20.1 > 172.16.20.2 VXLAN vni 4096 ttl 64 | 10.244.0.1 > 10.244.0.2 ICMP echo request 1 ttl 64',
  ],
  [
    'the question for the address before it',
    `32108d1e57e632f111db6eff08004500 004ece7c000040112bffac101401ac10 1402d1a812b5003a806f080000000010
     0000fffffffffffff25afd82c81a0806 0001080006040001f25afd82c81a0af4 00010000000000000af40002`,
    '172.16.20.1 > 172.16.20.2 VXLAN vni 4096 ttl 64',
  ],
]

for (const [command, hex, text] of fixtures) test(command, () => assert.equal(formatFrame(decode(hex)), text))

test('the innermost packet is what the pod sent', () => {
  const { ip } = decode(fixtures[0]?.[1] ?? '')
  assert.ok(ip)
  const { source, protocol, length, payload } = innermost(ip)
  assert.deepEqual([source, protocol, length], ['10.244.53.1', 1, 36])
  assert.deepEqual(payload, { is: 'icmp', type: 8, code: 0, id: 130, sequence: 1 })
})

test('a frame cut anywhere is decoded as far as it goes, without a throw', () => {
  for (const [, hex] of fixtures) {
    const whole = bytesOf(hex)
    for (let length = 14; length < whole.length; length++)
      assert.equal(decodeFrame(whole.subarray(0, length), { at: clock.now(), length: whole.length }).etherType, 0x0800)
  }
})

const clock = new ManualClock()

function decode(hex: string) {
  const bytes = bytesOf(hex)
  return decodeFrame(bytes, { at: clock.now(), length: bytes.length })
}

function bytesOf(hex: string): Uint8Array {
  return Buffer.from(hex.replaceAll(/\s/g, ''), 'hex')
}
