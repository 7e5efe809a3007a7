/** The public door: a BGP speaker to which one declares peers and routes, and which tells what it learned. */
import type { Attributes } from './attributes/attributes.ts'
import type { ImportFilter, Origination, PeerConfig, SpeakerOptions } from './options.ts'
import type { Explanation, LearnedRoute, SpeakerChange, SpeakerStatus } from './status.ts'

export {
  ACCEPTED,
  type ImportFilter,
  type ImportVerdict,
  type Origination,
  type PeerConfig,
  type SpeakerOptions,
} from './options.ts'
export type * from './status.ts'
export type { Attributes }

export class Speaker {
  constructor(_options: SpeakerOptions) {}

  /**
   * Resolves when every peer has told all it knows (End-of-RIB), when none needs to, or when the deferral ran out:
   * before that, nothing may be concluded from the absence of a route. Counts from the first `setPeers`.
   */
  get settled(): Promise<'all-peers' | 'deadline'> {
    throw new Error('unfinished')
  }

  /** Binds the listener. Rejects with a Fault that names address and port. */
  async start(): Promise<void> {
    throw new Error('unfinished')
  }

  /**
   * Makes the peers exactly these; sessions of unchanged peers do not blink. A peer left out gets 6/3 and its routes go at once, stale or not.
   * Call `originate` first: after the first dump each peer is told End-of-RIB, and forgets what we did not repeat.
   */
  setPeers(_peers: readonly PeerConfig[]): void {
    throw new Error('unfinished')
  }

  /** Makes the routes of our own exactly these, keyed by prefix text. */
  originate(_routes: ReadonlyMap<string, Origination>): void {
    throw new Error('unfinished')
  }

  /** Judges all routes heard so far again, without touching a session. */
  setImportFilter(_filter: ImportFilter): void {
    throw new Error('unfinished')
  }

  /** Best paths from peers, by prefix text; stale ones included. */
  learned(): ReadonlyMap<string, LearnedRoute> {
    throw new Error('unfinished')
  }

  /** Calls back after each change, never from inside a call to the speaker's own methods' caller; the result unsubscribes. */
  onChange(_listener: (change: SpeakerChange) => void): () => void {
    throw new Error('unfinished')
  }

  status(): SpeakerStatus {
    throw new Error('unfinished')
  }

  /** All paths of a prefix (text), with the reason why each but the best is not used. */
  explain(_prefix: string): Explanation {
    throw new Error('unfinished')
  }

  /** Graceful closes TCP without a word, so that peers keep our routes for the restart time; otherwise they hear 6/2 and drop them. */
  async stop(_how: { readonly graceful: boolean }): Promise<void> {
    throw new Error('unfinished')
  }
}
