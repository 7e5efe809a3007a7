/** Settings, right and wrong: what is refused names the place, the setting and what would be right. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { formatIpv4 } from '@network/base/net/ipv4.ts'
import { type Flags, loadConfig } from './config.ts'

const directory = mkdtempSync(join(tmpdir(), 'cali-config-'))
after(() => rmSync(directory, { recursive: true }))
const FILE = join(directory, 'cali.yaml')
const BASE: Flags = { nodeId: 'one', nodeName: 'a1' }

test('flags over environment over file over defaults', async () => {
  const text = [
    'nodeName: from-file',
    'nodeIP: 172.16.20.11',
    'datastore: sqlite:/file.db',
    'bgp:',
    '  asNumber: 65001',
    '  holdTime: 9',
    '  peers:',
    '    - address: 172.16.20.1',
    '      asNumber: 65000',
  ]
  const config = await load(text.join('\n'), { nodeName: 'from-flag' }, { CALI_DATASTORE: 'sqlite:/environment.db' })
  assert.deepEqual(
    [config.nodeName, config.datastore, config.runDir, config.asn, config.holdTime],
    ['from-flag', 'sqlite:/environment.db', '/run/cali', 65001, 9],
  )
  assert.equal(config.nodeIp.is === 'address' ? formatIpv4(config.nodeIp.address) : '', '172.16.20.11')
  assert.deepEqual(
    config.peers.map(({ name, asn }) => [name, asn]),
    [['peer-65000', 65000]],
  )
  assert.equal((await load('')).asn, 64512, 'an empty file says nothing')
})

test('M25, M35: VXLAN as a cluster chooses it, from the least VNI to the greatest', async () => {
  const { vxlan, vxlanMac, mtu } = await load(
    'mtu: 1400\nvxlan: {vni: 10001, port: 4899, device: vxlan-test, mac: "C2:6a:9b:e5:39:8d"}',
  )
  assert.deepEqual([vxlan, vxlanMac, mtu], [{ vni: 10001, port: 4899, device: 'vxlan-test' }, 'c2:6a:9b:e5:39:8d', 1400])
  for (const vni of [0, 16_777_215]) assert.equal((await load(`vxlan: {vni: ${vni}}`)).vxlan.vni, vni)
  const usual = await load('')
  assert.deepEqual(
    [usual.vxlan, usual.vxlanMac, usual.mtu],
    [{ vni: 4096, port: 4789, device: 'vxlan.cali' }, undefined, undefined],
  )
})

const WRONG_FILES: readonly (readonly [what: string, text: string, says: RegExp])[] = [
  ['no YAML', 'bgp: [1, 2', /cali\.yaml: it is not YAML: .* line 1, column \d+/],
  ['a list', '- a', /cali\.yaml: the document must be a mapping/],
  ['text', 'hello', /cali\.yaml: the document must be a mapping/],
  [
    'an unknown setting',
    'nodename: a',
    /cali\.yaml: nodename is no setting; there are datastore, nodeName, nodeId, nodeIP, metricsPort, runDir, /,
  ],
  ['an unknown setting below bgp', 'bgp:\n  as: 1', /bgp\.as is no setting; there are asNumber, holdTime, peers/],
  [
    'an unknown setting of a peer',
    'bgp:\n  peers:\n    - {address: 172.16.20.1, asNumber: 1, port: 2}',
    /bgp\.peers\.0\.port is no setting; there are address, asNumber, name/,
  ],
  ['a setting of a peer left out', 'bgp:\n  peers:\n    - {address: 172.16.20.1}', /bgp\.peers\.0\.asNumber is missing/],
  ['an AS number as text', 'bgp:\n  asNumber: "64512"', /bgp\.asNumber must be a number/],
  ['an AS number too large', 'bgp:\n  asNumber: 4294967296', /bgp\.asNumber must be 1 to 4294967295/],
  ['a hold time too short', 'bgp:\n  holdTime: 1', /bgp\.holdTime must be at least 3 seconds/],
  ['bgp as a number', 'bgp: 7', /cali\.yaml: bgp must be a mapping/],
  ['peers as a mapping', 'bgp:\n  peers: {}', /bgp\.peers must be a list/],
  ['a bad address', 'nodeIP: 172.16.20.300', /nodeIP "172\.16\.20\.300" is not an IPv4 address such as/],
  ['loopback as address', 'nodeIP: 127.0.0.1', /nodeIP must be an address of this node that other nodes reach/],
  ['a bad name', 'nodeName: Node_1', /nodeName must consist of lower-case letters/],
  ['a bad datastore', 'datastore: /var/lib/cali.db', /datastore.*"\/var\/lib\/cali\.db" is not a datastore such as sqlite:/],
  ['a VNI of more than 24 bits', 'vxlan: {vni: 16777216}', /vxlan\.vni must be 0 to 16777215/],
  ['a VNI below zero', 'vxlan: {vni: -1}', /vxlan\.vni must be 0 to 16777215/],
  ['a port that is none', 'vxlan: {port: 65536}', /vxlan\.port must be 1 to 65535/],
  ['a device name too long', 'vxlan: {device: a-name-that-is-long}', /vxlan\.device must be a name of at most 15/],
  ['the loopback as device', 'vxlan: {device: lo}', /vxlan\.device must not be lo, tunl0 nor begin with "cali"/],
  ["IPIP's device", 'vxlan: {device: tunl0}', /vxlan\.device must not be lo, tunl0 nor begin with "cali"/],
  ["a pod's device", 'vxlan: {device: cali0123456789a}', /vxlan\.device must not be lo, tunl0 nor begin with "cali"/],
  ["a group's MAC", 'vxlan: {mac: "01:00:5e:00:00:01"}', /vxlan\.mac must be the address of one interface, not of a group/],
  ['an unknown setting below vxlan', 'vxlan: {id: 1}', /vxlan\.id is no setting; there are vni, port, device, mac/],
  ['an MTU that no link has', 'mtu: 100', /mtu must be 576 to 65535 octets/],
  ['two things at once', 'nodeId: 7\nrunDir: ""', /nodeId must be text; runDir must not be empty/],
]
for (const [what, text, says] of WRONG_FILES)
  test(`a file with ${what} is refused`, async () => {
    const flags = text.startsWith('nodeName') ? { nodeId: 'one' } : BASE
    await assert.rejects(load(text, flags), { code: 'config.refused', message: says })
  })

test('what is wrong with the datastore of a file is told of that file', async () => {
  await assert.rejects(load('datastore: nowhere'), {
    code: 'config.refused',
    message: `cannot use the setting ${FILE}, datastore: "nowhere" is not a datastore such as sqlite:/var/lib/cali/cali.db`,
  })
})

const WRONG_FLAGS: readonly (readonly [flags: Flags, says: RegExp])[] = [
  [{ nodeName: 'A_1' }, /--node-name: "A_1" must consist of lower-case letters/],
  [{ nodeId: '' }, /--node-id: "" must not be empty/],
  [{ nodeIp: 'here' }, /--node-ip: "here" is not an IPv4 address such as/],
  [{ nodeIp: '224.0.0.5' }, /--node-ip: "224\.0\.0\.5" must be an address of this node that other nodes reach/],
  [{ runDir: '' }, /--run-dir: "" must not be empty/],
  [{ datastore: 'etc' }, /--datastore: "etc" is not a datastore such as/],
  [{ config: join(directory, 'nowhere.yaml') }, /--config: .*ENOENT.*nowhere\.yaml/],
]
for (const [flags, says] of WRONG_FLAGS)
  test(`refused: ${JSON.stringify(flags)}`, async () => {
    await assert.rejects(loadConfig({ ...BASE, ...flags }, {}), { code: 'config.refused', message: says })
  })

const COMMAND_LINES: readonly (readonly [words: readonly string[], says: RegExp])[] = [
  [['--bogus'], /unknown option '--bogus'/],
  [['--log-level', 'loud'], /Allowed choices are debug, info, warn, error/],
  [['--node-ip'], /argument missing/],
  [['--node-ip', 'here', '--node-id', 'one'], /--node-ip: \\"here\\" is not an IPv4 address/],
  [['--config', FILE], /cali\.yaml: bgp must be a mapping/],
]
for (const [words, says] of COMMAND_LINES)
  test(`cali-agent ${words.join(' ').replace(directory, '…')}: exit status 2, nothing started`, () => {
    writeFileSync(FILE, 'bgp: 7')
    const main = join(import.meta.dirname, 'main.ts')
    const ended = spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', main, ...words], { encoding: 'utf8' })
    assert.equal(ended.status, 2, ended.stderr)
    assert.match(ended.stderr, says)
    assert.equal(ended.stdout, '')
  })

function load(text: string, flags: Flags = BASE, environment: Readonly<Record<string, string>> = {}) {
  writeFileSync(FILE, text)
  return loadConfig({ nodeId: 'one', ...flags, config: FILE }, environment)
}
