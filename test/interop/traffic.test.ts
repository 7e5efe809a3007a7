/** Packets that follow our routes through the kernel behind a BIRD: none is lost while either side restarts gracefully. RFC 4724. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { sleep, systemClock } from '@network/base/time/clock.ts'
import { millis } from '@network/base/time/units.ts'
import { execa } from 'execa'
import { startIn } from '../lab/command.ts'
import { start, type Us } from './ours.ts'
import { BirdRouter, layRouterCable } from './routers.ts'

/** An address of a route of ours, on this side of the cable. */
const TARGET = '10.244.0.1'
const PART = { asn: 64512, gracefulRestart: true, forwards: true } as const

before(async () => {
  await layRouterCable()
  await execa('ip', ['address', 'add', `${TARGET}/32`, 'dev', 'lo'], {
    env: { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` },
  })
})

describe('a hundred packets a second', () => {
  test('P0: we stop with a word, and they are lost', async () => {
    await using router = await new BirdRouter().play(PART)
    await using us = await start({})
    const traffic = await Traffic.through(router)
    await us.speaker.stop({ graceful: false })
    await router.until('loss', () => traffic.lost > 0)
    await traffic.stop()
  })

  test('we restart: none is lost', async () => {
    await using router = await new BirdRouter().play(PART)
    await using first = await start({})
    const traffic = await Traffic.through(router)
    await router.until('all of it', () => first.peer().gracefulRestart.endOfRibReceived)
    await first.speaker.stop({ graceful: true })
    await router.until('BIRD waiting', async () => /graceful restart active/i.test(await router.session()))
    await traffic.more(20)
    await using second = await start({ restarting: true })
    await settled(router, second)
    await traffic.more(20)
    assert.deepEqual([await traffic.stop(), traffic.lost], ['ended', 0])
  })

  test('BIRD dies and comes back: none is lost', async () => {
    await using router = await new BirdRouter().play(PART)
    await using us = await start({})
    const traffic = await Traffic.through(router)
    await router.until('all of it', () => us.peer().gracefulRestart.endOfRibReceived)
    await router.kill()
    await router.until('stale routes', () => us.peer().prefixes.stale === 3)
    await traffic.more(20)
    await router.launch()
    await settled(router, us)
    await traffic.more(20)
    assert.deepEqual([await traffic.stop(), traffic.lost], ['ended', 0])
  })
})

async function settled(router: BirdRouter, us: Us): Promise<void> {
  await router.until('the session again', () => us.peer().state === 'established' && us.peer().gracefulRestart.endOfRibReceived)
  await router.until('our End-of-RIB', () => us.peer().gracefulRestart.endOfRibSent)
}

/** Pings from behind the router; every request that had no answer when the next went out is lost. */
class Traffic {
  lost = 0
  #answered = 0
  readonly #router: BirdRouter
  readonly #ping = startIn('router', ['ping', '-n', '-O', '-i', '0.01', TARGET])

  private constructor(router: BirdRouter) {
    this.#router = router
    this.#ping.stdout.on('data', (chunk: Buffer) => {
      const text = chunk.toString()
      this.#answered += text.match(/bytes from/g)?.length ?? 0
      this.lost += text.match(/no answer yet|Unreachable/g)?.length ?? 0
    })
    this.#ping.stderr.on('data', () => undefined)
  }

  static async through(router: BirdRouter): Promise<Traffic> {
    await router.until('our route in the kernel', async () => /10\.9\.0\.1/.test(await router.kernelRoute(TARGET)))
    const traffic = new Traffic(router)
    await traffic.more(5)
    return traffic
  }

  async more(answers: number): Promise<void> {
    const wanted = this.#answered + answers
    await this.#router.until(`${answers} more answers`, () => this.#answered >= wanted)
  }

  /** After a moment for the last answers. */
  async stop(): Promise<'ended'> {
    await sleep(systemClock, millis(100), new AbortController().signal)
    this.#ping.kill('SIGINT')
    await this.#ping.ended
    return 'ended'
  }
}
