/** The contract of every datastore, on real etcd: one member, three, a slow line, and a clock that jumps. */
import { after, before, describe, mock } from 'node:test'
import { systemClock, systemRandom } from '@network/base/time/clock.ts'
import { openEtcd } from '@network/datastore/etcd/open.ts'
import type { EtcdStore } from '@network/datastore/etcd/store.ts'
import { type Backend, contractOf } from '@network/datastore/testing/contract.ts'
import { type Etcd, type EtcdOptions, startEtcd } from './etcd.ts'
import { Forgetful } from './forgetful.ts'
import { type FlakyProxy, startProxy } from './proxy.ts'

const chance = { clock: systemClock, random: systemRandom }
let prefixes = 0

/** A fresh prefix for every test, in which all is forgotten that a small embedded store would forget. */
function backendOf(etcd: () => Etcd, members: () => string): Backend {
  return {
    async open({ keep }) {
      const url = `etcd://${members()}/contract/${prefixes++}`
      const open = async (): Promise<[Forgetful, EtcdStore]> => {
        const inner = await openEtcd(url, chance)
        return [new Forgetful(inner, keep, revision => etcd().ctl('compact', revision)), inner]
      }
      const [[store, one], [another, two]] = await Promise.all([open(), open()])
      const close = async () => {
        await Promise.all([one, two].map(each => each[Symbol.asyncDispose]()))
      }
      return { store, another, close }
    },
  }
}

function onEtcd(name: string, options: EtcdOptions): void {
  describe(name, () => {
    let etcd: Etcd
    before(async () => {
      etcd = await startEtcd(options)
    })
    after(() => etcd[Symbol.asyncDispose]())
    contractOf(
      name,
      backendOf(
        () => etcd,
        () => etcd.members.map(({ address }) => address).join(','),
      ),
    )
  })
}

onEtcd('etcd of one member', {})
onEtcd('etcd of three members', { members: 3 })

describe('behind a slow line', () => {
  let etcd: Etcd
  let proxy: FlakyProxy
  before(async () => {
    etcd = await startEtcd()
    proxy = await startProxy(etcd.members[0]?.address ?? '')
    proxy.weather = { is: 'slow', by: 2 }
  })
  after(async () => {
    await proxy[Symbol.asyncDispose]()
    await etcd[Symbol.asyncDispose]()
  })
  contractOf(
    'etcd behind a slow line',
    backendOf(
      () => etcd,
      () => proxy.address,
    ),
  )
})

describe('while the wall clock jumps', () => {
  let etcd: Etcd
  before(async () => {
    etcd = await startEtcd()
    mock.timers.enable({ apis: ['Date'], now: Date.now() })
  })
  after(async () => {
    mock.timers.reset()
    await etcd[Symbol.asyncDispose]()
  })
  const jumping = backendOf(
    () => etcd,
    () => etcd.members[0]?.address ?? '',
  )
  let jumps = 0
  contractOf('etcd while the wall clock jumps by an hour, forth and back', {
    open(options) {
      jumps += 1
      mock.timers.setTime(Date.UTC(2026, 0, 1, jumps % 2 === 0 ? 3 : 2))
      return jumping.open(options)
    },
  })
})
