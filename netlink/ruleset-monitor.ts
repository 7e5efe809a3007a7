/** Hears that somebody changed nftables; what changed is for the hearer to read again. */
import { NetlinkSocket } from './socket.ts'
import { eachMessage } from './wire.ts'

/** NFNLGRP_NFTABLES of linux/netfilter/nfnetlink.h. */
const GROUP_NFTABLES = 7

export interface RulesetMonitorOptions {
  /** Path of the network namespace to listen in; this one when left out. */
  readonly namespace?: string | undefined
}

export class RulesetMonitor implements Disposable {
  readonly #socket: NetlinkSocket

  /** What happens from here on is heard: open first, then read the rules. A kernel without nftables is a Fault. */
  static open({ namespace }: RulesetMonitorOptions = {}): RulesetMonitor {
    return new RulesetMonitor(NetlinkSocket.open({ namespace, family: 'netfilter', groups: [GROUP_NFTABLES] }))
  }

  private constructor(socket: NetlinkSocket) {
    this.#socket = socket
  }

  /**
   * Yields once for all changes that have gathered, lost ones included; ends when `signal` aborts. What was made by the socket of the port
   * that `own` names then is no news.
   */
  async *changes(signal: AbortSignal, own: () => number | undefined = () => undefined): AsyncGenerator<void, void> {
    while (await this.#socket.whenReadable(signal)) if (this.#drain(own())) yield
  }

  /** Dispose when the reader has ended, not before. */
  [Symbol.dispose](): void {
    this.#socket[Symbol.dispose]()
  }

  /** True when there was news among it. */
  #drain(own: number | undefined): boolean {
    let news = false
    for (let got = this.#socket.receive(); got !== 'nothing'; got = this.#socket.receive()) {
      if (got === 'overrun' || own === undefined) news = true
      else
        eachMessage(got, ({ port }) => {
          news ||= port !== own
        })
    }
    return news
  }
}
