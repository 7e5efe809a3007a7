import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatIpv4, ipv4 } from '@network/base/net/ipv4.ts'
import { type AddressFacts, type Candidate, chooseAddress, parseMethod } from './address-method.ts'

/** As vagrant and Docker leave a machine: the first NIC has the same address on every node. */
const ROWS = [
  ['lo', '127.0.0.1', 8],
  ['docker0', '172.17.0.1', 16],
  ['eth0', '10.0.2.15', 24],
  ['cali0123456789a', '192.0.2.9', 32],
  ['eth1', '192.168.50.197', 24],
  ['ens9', '172.16.20.11', 24],
] as const
const CANDIDATES: readonly Candidate[] = ROWS.map(([device, address, length]) => ({
  device,
  up: device !== 'ens9',
  address: ipv4(address),
  length,
}))

const FACTS: AddressFacts = {
  candidates: CANDIDATES,
  sourceTowards: target =>
    target === 'anywhere' ? ipv4('10.0.2.15') : target === ipv4('192.168.50.1') ? ipv4('192.168.50.197') : undefined,
  kubernetesInternalIp: undefined,
}

const CHOICES: readonly (readonly [method: string, address: string, from: RegExp])[] = [
  ['192.168.50.197', '192.168.50.197', /--node-ip/],
  ['default-route', '10.0.2.15', /source address of the default route/],
  ['first-found', '10.0.2.15', /first address of eth0/],
  ['can-reach=192.168.50.1', '192.168.50.197', /towards 192\.168\.50\.1$/],
  ['interface=eth1', '192.168.50.197', /eth1 is named as asked/],
  ['interface=ens.*,eth[1-9]', '192.168.50.197', /eth1/],
  ['interface=en[ps]\\d{1,3}, eth{1,2}1', '192.168.50.197', /eth1/],
  ['skip-interface=eth0', '192.168.50.197', /eth1 is the first that is not skipped/],
  ['cidr=192.168.0.0/16,10.0.0.0/8', '192.168.50.197', /inside 192\.168\.0\.0\/16, 10\.0\.0\.0\/8, on eth1/],
  ['cidr=10.0.0.0/8', '10.0.2.15', /on eth0/],
]
for (const [text, address, from] of CHOICES)
  test(`M56: ${text} chooses ${address}, and says why`, () => {
    const parsed = parseMethod(text)
    assert.ok(parsed.ok)
    const chosen = chooseAddress(parsed.value, FACTS)
    assert.ok(chosen.is === 'chosen')
    assert.equal(formatIpv4(chosen.address), address)
    assert.match(chosen.from, from)
  })

const NONE: readonly (readonly [method: string, says: RegExp])[] = [
  ['can-reach=8.8.8.8', /no way to 8\.8\.8\.8/],
  ['interface=wlan.*', /no interface named wlan\.\*/],
  ['interface=ens9', /no interface named ens9 has an address and is up/],
  ['interface=th', /no interface named th/],
  ['skip-interface=eth.*', /besides those named eth\.\*/],
  ['cidr=198.51.100.0/24', /inside 198\.51\.100\.0\/24/],
  ['kubernetes-internal-ip', /not Kubernetes/],
]
for (const [text, says] of NONE)
  test(`${text} finds nothing here, and says what it looked for`, () => {
    const parsed = parseMethod(text)
    assert.ok(parsed.ok)
    const chosen = chooseAddress(parsed.value, FACTS)
    assert.ok(chosen.is === 'none')
    assert.match(chosen.says, says)
  })

test('kubernetes-internal-ip takes what the Node says', () => {
  const chosen = chooseAddress({ is: 'kubernetes-internal-ip' }, { ...FACTS, kubernetesInternalIp: ipv4('192.168.50.197') })
  assert.ok(chosen.is === 'chosen')
  assert.equal(formatIpv4(chosen.address), '192.168.50.197')
})

for (const [text, says] of [
  ['here', /"here" is not an IPv4 address such as .*, nor one of default-route, first-found/],
  ['can-reach=', /can-reach= takes an IPv4 address/],
  ['can-reach', /can-reach= takes an IPv4 address/],
  ['interface=', /interface= takes names/],
  ['interface=(', /"\(" is none/],
  ['cidr=10.0.0.1/8', /cidr= takes prefixes.*"10\.0\.0\.1\/8"/],
  ['first-found=eth0', /takes nothing behind it/],
  ['127.0.0.1', /must be an address of this node that other nodes reach/],
] as const)
  test(`${text} is refused`, () => {
    const parsed = parseMethod(text)
    assert.ok(!parsed.ok)
    assert.match(parsed.says, says)
  })
