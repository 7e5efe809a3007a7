/** BFD of two speakers over datagrams in memory: who is heard, and what the owner is told. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type AnyAddress, anyAddress, formatAddress } from '@network/base/net/any-address.ts'
import { silentLog } from '@network/base/run/log.ts'
import { ManualClock } from '@network/base/testing/manual-clock.ts'
import { seededRandom } from '@network/base/testing/seeded-random.ts'
import { after, millis } from '@network/base/time/units.ts'
import type { Endpoint } from '../session/transport.ts'
import type { Datagrams } from './datagrams.ts'
import { BfdMonitor, type BfdPeer, type Watching } from './monitor.ts'
import { decodeBfd, encodeBfd } from './packet.ts'

const FAMILIES = [
  { family: 'IPv4', near: '192.0.2.1', far: '192.0.2.2', stranger: '192.0.2.9' },
  { family: 'IPv6', near: '2001:db8::1', far: '2001:db8::2', stranger: '2001:db8::9' },
] as const
const SETTINGS = { minTx: millis(100), minRx: millis(100), multiplier: 3, multihop: false }

for (const { family, near: here, far: there, stranger: elsewhere } of FAMILIES) {
  describe(`a monitor over ${family}`, () => {
    test('brings both ends up; silence is told with its reason, and that it may be a restart', () => {
      const link = new Link(anyAddress(here), anyAddress(there))
      const [near, far] = link.pair()
      link.run(4)
      assert.deepEqual([near.watching.status().state, far.watching.status().state], ['up', 'up'])
      assert.equal(near.watching.status().detectionMillis, 300)
      assert.deepEqual([near.told, far.told], [['up'], ['up']])
      link.isCut = true
      link.run(1)
      assert.deepEqual(near.told, ['up', 'down: control detection time expired'])
      assert.equal(near.watching.status().failures, 1)
    })

    test('an end on purpose is no failure, and leaves no timer and no socket', () => {
      const link = new Link(anyAddress(here), anyAddress(there))
      const [near, far] = link.pair()
      link.run(4)
      far.watching.stop()
      link.run(1)
      assert.deepEqual([near.told, near.watching.status().peerState], [['up'], 'admin-down'])
      near.watching.stop()
      link.run(1)
      assert.deepEqual([link.ears.size, link.senders], [0, 0])
    })

    test('whoever is not the peer, or names a discriminator that is not ours, is not heard', () => {
      const link = new Link(anyAddress(here), anyAddress(there))
      const [near] = link.pair()
      link.run(4)
      const last = decodeBfd(link.last ?? new Uint8Array())
      assert.ok(last !== undefined)
      const forged = { ...last, state: 'down', diagnostic: 0, poll: false, final: false } as const
      link.tell(link.near, 3784, encodeBfd({ ...forged, yours: 12345 }), link.far)
      link.tell(link.near, 3784, encodeBfd(forged), anyAddress(elsewhere))
      link.tell(link.near, 3784, encodeBfd({ ...forged, yours: 0 }), anyAddress(elsewhere))
      assert.deepEqual([near.told, near.watching.isUp()], [['up'], true])
      link.tell(link.near, 3784, encodeBfd({ ...forged, yours: 0 }), link.far)
      assert.deepEqual(near.told, ['up', 'down: neighbour signaled session down'], 'the control')
    })
  })
}

interface End {
  readonly watching: Watching
  readonly told: readonly string[]
}

class Link {
  readonly near: AnyAddress
  readonly far: AnyAddress
  isCut = false
  senders = 0
  last: Uint8Array | undefined
  readonly ears = new Map<string, (bytes: Uint8Array, from: Endpoint) => void>()
  readonly #clock = new ManualClock()
  readonly #random = seededRandom(3)

  constructor(near: AnyAddress, far: AnyAddress) {
    this.near = near
    this.far = far
  }

  pair(): readonly [End, End] {
    return [this.#end(this.near, this.far), this.#end(this.far, this.near)]
  }

  run(duration: number): void {
    this.#clock.advance(millis(duration * 1000))
  }

  tell(to: AnyAddress, port: number, bytes: Uint8Array, from: AnyAddress): void {
    this.ears.get(`${formatAddress(to)}:${port}`)?.(bytes, { address: from, port: 49152 })
  }

  #end(here: AnyAddress, address: AnyAddress): End {
    const turn = (act: () => void) => void this.#clock.wakeAt(this.#clock.now(), act)
    const tools = { clock: this.#clock, random: this.#random, log: silentLog, datagrams: this.#datagrams(here), turn }
    const peer: BfdPeer = { address, from: here, device: undefined, settings: SETTINGS }
    const told: string[] = []
    const watching = new BfdMonitor(tools).watch(peer, {
      up: () => void told.push('up'),
      down: (why, independent) => void told.push(`down: ${why}${independent ? ', for good' : ''}`),
    })
    return { watching, told }
  }

  #datagrams(here: AnyAddress): Datagrams {
    return {
      hear: ({ address, port }, minTtl, told) => {
        assert.equal(minTtl, 255)
        const name = `${formatAddress(address)}:${port}`
        this.ears.set(name, told)
        return { close: () => void this.ears.delete(name) }
      },
      sender: ({ to }) => {
        this.senders++
        const send = (bytes: Uint8Array) => {
          if (to.address === this.near) this.last = bytes
          if (!this.isCut)
            this.#clock.wakeAt(after(this.#clock.now(), millis(1)), () => this.tell(to.address, to.port, bytes, here))
        }
        return { send, close: () => void this.senders-- }
      },
    }
  }
}
