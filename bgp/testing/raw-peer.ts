/** A peer that says exactly what a test tells it to, well-formed or not. */
import { type Ipv4, ipv4 } from '@network/base/net/ipv4.ts'
import { seconds } from '@network/base/time/units.ts'
import type { Transport, Wire, WireListener } from '../session/transport.ts'
import { type Capabilities, IPV4_UNICAST, NO_CAPABILITIES } from '../wire/capabilities.ts'
import { Framer } from '../wire/framing.ts'
import { decodeNotification, type Notification } from '../wire/notification.ts'
import { encodeOpen, myAsOf, type Open } from '../wire/open.ts'
import { KEEPALIVE } from '../wire/update.ts'

export interface Heard {
  readonly kind: string
  readonly body: Uint8Array
}

export class RawPeer implements WireListener {
  readonly heard: Heard[] = []
  #wire: Wire | undefined
  #lost: string | undefined
  readonly #framer = new Framer()

  /** Connects to port 179 of a speaker; stands once the clock has moved on. */
  dial(transport: Transport, to: Ipv4, from?: Ipv4): void {
    transport.dial({ address: to, port: 179 }, from, {
      opened: wire => {
        this.#wire = wire
        return this
      },
      failed: ({ says }) => {
        this.#lost = says
      },
    })
  }

  /** How the stream ended, if it did. */
  get lostBy(): string | undefined {
    return this.#lost
  }

  /** Kinds of messages heard, in order. */
  get kinds(): readonly string[] {
    return this.heard.map(({ kind }) => kind)
  }

  get lastNotification(): Notification | undefined {
    const last = this.heard.findLast(({ kind }) => kind === 'notification')
    return last === undefined ? undefined : decodeNotification(last.body)
  }

  say(...messages: readonly Uint8Array[]): void {
    for (const message of messages) this.#wire?.send(message)
  }

  /** OPEN and KEEPALIVE: all that it takes to be established. */
  greet(open: Partial<Open> = {}, capabilities: Partial<Capabilities> = {}): void {
    if (capabilities.extendedMessages === true) this.#framer.allowExtended()
    this.say(encodeOpen(rawOpen(open, capabilities)), KEEPALIVE)
  }

  hangUp(): void {
    void this.#wire?.close()
  }

  data(bytes: Uint8Array): void {
    for (const framed of this.#framer.push(bytes))
      if (framed.is === 'frame') this.heard.push({ kind: framed.frame.kind, body: framed.frame.body.slice() })
  }

  /** What it says is short. */
  readonly drained = (): undefined => undefined

  lost(why: string): void {
    this.#lost = why
  }
}

/** An OPEN of an ordinary internal peer, with changes. */
export function rawOpen(open: Partial<Open> = {}, capabilities: Partial<Capabilities> = {}): Open {
  return {
    myAs: myAsOf(64512),
    holdTime: seconds(30),
    routerId: ipv4('192.0.2.66'),
    ...open,
    capabilities: {
      ...NO_CAPABILITIES,
      families: [IPV4_UNICAST],
      routeRefresh: true,
      fourOctetAs: 64512,
      gracefulRestart: undefined,
      ...capabilities,
    },
  }
}
