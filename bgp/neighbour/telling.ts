/** What one session is told: its place in an update group, End-of-RIB, and answers to its refreshes. */
import type { AnyAddress } from '@network/base/net/any-address.ts'
import type { AnyPrefix } from '@network/base/net/any-prefix.ts'
import type { Attributes } from '../attributes/attributes.ts'
import type { Follower } from '../export/change-log.ts'
import type { UpdateGroup } from '../export/update-group.ts'
import type { PeerSession, Standing } from '../session/peer-session.ts'
import { type Family, sameFamily } from '../wire/capabilities.ts'
import type { Identified } from '../wire/nlri.ts'
import { encodeEndOfRib } from '../wire/update.ts'

const NONE: readonly Family[] = []

export class Telling {
  readonly #driver: PeerSession
  readonly #terms: Standing['terms']
  #group: UpdateGroup
  #follower: Follower
  #blocked = false
  #endOfRibSent = false
  /** Families whose refresh has begun. */
  #answering = NONE

  constructor(driver: PeerSession, terms: Standing['terms'], group: UpdateGroup, follower: Follower) {
    this.#driver = driver
    this.#terms = terms
    this.#group = group
    this.#follower = follower
  }

  get endOfRibSent(): boolean {
    return this.#endOfRibSent
  }

  /** Paths that it holds or will hold when it has read all. */
  get count(): number {
    return this.#group.toldTo(this.#follower.slot)
  }

  /** The stream takes more. */
  unblock(): void {
    this.#blocked = false
  }

  /** Says what waits, as far as the stream takes it; then End-of-RIB, once a session and when it may. Hot. */
  flush(mayEndRib: () => boolean): void {
    while (!this.#blocked) {
      const { slices, messages } = this.#group.pull(this.#follower)
      if (slices.length === 0) break
      if (!this.#driver.sendUpdates(slices, messages)) this.#blocked = true
    }
    if (this.#blocked) return
    if (this.#endOfRibSent) this.#endAnswers()
    else if (this.#group.isCurrent(this.#follower) && mayEndRib()) this.#sendEndOfRib()
  }

  #endAnswers(): void {
    if (this.#answering.length === 0) return
    for (const family of this.#answering) this.#driver.sendRefresh('end', family)
    this.#answering = NONE
  }

  #sendEndOfRib(): void {
    this.#endOfRibSent = true
    const ends = this.#terms.families.map(encodeEndOfRib)
    if (!this.#driver.sendUpdates(ends, ends.length)) this.#blocked = true
  }

  /** All is told again. RFC 7313 §4: begin and end are told, but not before the first End-of-RIB. */
  again(family: Family): void {
    const isMarked = this.#terms.enhancedRefresh && this.#endOfRibSent
    if (isMarked && !this.#answering.some(each => sameFamily(each, family))) {
      this.#driver.sendRefresh('begin', family)
      this.#answering = [...this.#answering, family]
    }
    this.#group.resend(this.#follower)
  }

  /** Other terms, told as the difference: the peer forgets nothing and hears everything that holds now. */
  moveTo(group: UpdateGroup, address: AnyAddress): void {
    if (group === this.#group) return
    const held = this.#group.heldBy(this.#follower)
    this.#group.leave(this.#follower)
    this.#follower = group.join(this.#follower.slot, address)
    this.#group = group
    group.retract(this.#follower, held)
  }

  leave(): void {
    this.#group.leave(this.#follower)
  }

  /** What it was told last. */
  *told(): Generator<{ readonly prefix: Identified<AnyPrefix>; readonly attributes: Attributes }, void, void> {
    const { slot } = this.#follower
    for (const id of this.#group.toldIds(slot)) {
      const attributes = this.#group.tells(slot, id)
      if (attributes !== undefined) yield { prefix: this.#group.named(id), attributes }
    }
  }
}
