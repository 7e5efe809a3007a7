/** Hears that somebody changed nftables; what changed is for the hearer to read again. */
import { NetlinkSocket } from './socket.ts'

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

  /** Yields once for all changes that have gathered, lost ones included; ends when `signal` aborts. Own changes are heard too. */
  async *changes(signal: AbortSignal): AsyncGenerator<void, void> {
    while (await this.#socket.whenReadable(signal)) {
      this.#drain()
      yield
    }
  }

  /** Dispose when the reader has ended, not before. */
  [Symbol.dispose](): void {
    this.#socket[Symbol.dispose]()
  }

  #drain(): void {
    while (this.#socket.receive() !== 'nothing');
  }
}
