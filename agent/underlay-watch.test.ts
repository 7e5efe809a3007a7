import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatIpv4, ipv4 } from '@network/base/net/ipv4.ts'
import { silentLog } from '@network/base/run/log.ts'
import { ManualClock } from '@network/base/testing/manual-clock.ts'
import { millis } from '@network/base/time/units.ts'
import { addAddress, deleteAddress, toLinkAddress } from '@network/netlink/address.ts'
import { addVeth, setLink } from '@network/netlink/link.ts'
import { FakeKernel } from '@network/netlink/testing/fake-kernel.ts'
import { parseMethod } from './address-method.ts'
import { chooseUnderlay } from './underlay.ts'
import { UnderlayWatch } from './underlay-watch.ts'

const FIRST = '172.16.20.11'
const OTHER = '10.9.0.1'

/** A node of two NICs that chooses by the first that it finds. */
class Stage {
  readonly netlink = new FakeKernel().client()
  readonly clock = new ManualClock()
  readonly told: string[] = []
  readonly watch: UnderlayWatch

  constructor(how: string) {
    for (const [name, address] of [
      ['eth0', FIRST],
      ['eth1', OTHER],
    ] as const) {
      this.netlink.perform(addVeth({ name }, { name: `${name}-end`, born: 'here' }))
      this.netlink.perform(setLink(name, { up: true }))
      this.netlink.perform(addAddress(this.#row(name, address)))
    }
    const parsed = parseMethod(how)
    const method = parsed.ok ? parsed.value : assert.fail(how)
    const { netlink, clock } = this
    this.watch = new UnderlayWatch({
      ...{ netlink, method, first: chooseUnderlay(netlink, method), clock, log: silentLog },
      changed: () => this.told.push('changed'),
      moved: (from, to) => this.told.push(`${from} to ${to}`),
    })
  }

  take(): void {
    this.netlink.perform(deleteAddress(this.#row('eth0', FIRST)))
    this.watch.look()
  }

  giveBack(): void {
    this.netlink.perform(addAddress(this.#row('eth0', FIRST)))
    this.watch.look()
  }

  get address(): string {
    return formatIpv4(this.watch.choice.underlay.address)
  }

  #row(device: string, address: string) {
    const link = this.netlink.link(device) ?? assert.fail(`no ${device}`)
    return toLinkAddress({ link: link.index, address: ipv4(address), length: 24 })
  }
}

test('an address that is away for a moment moves nobody, however often its NIC is looked at', () => {
  const stage = new Stage('first-found')
  assert.equal(stage.address, FIRST)
  stage.take()
  stage.clock.advance(millis(4999))
  stage.watch.look()
  assert.match(stage.watch.trouble ?? '', /the underlay is gone: .*172\.16\.20\.11: no interface of this node has it/)
  stage.giveBack()
  stage.clock.advance(millis(60_000))
  assert.deepEqual([stage.told, stage.address, stage.watch.trouble], [[], FIRST, undefined])
})

test('an address that stays away is given up after five seconds, and each absence has its own', () => {
  const stage = new Stage('first-found')
  stage.take()
  stage.clock.advance(millis(4000))
  stage.giveBack()
  stage.take()
  stage.clock.advance(millis(4999))
  assert.deepEqual(stage.told, [])
  stage.clock.advance(millis(1))
  assert.deepEqual([stage.told, stage.address, stage.watch.trouble], [[`${FIRST} to ${OTHER}`], OTHER, undefined])
})

test('an address that was named is waited for', () => {
  const stage = new Stage(FIRST)
  stage.take()
  stage.clock.advance(millis(60_000))
  stage.watch.look()
  assert.deepEqual([stage.told, stage.address], [[], FIRST])
  stage.giveBack()
  assert.equal(stage.watch.trouble, undefined)
})
