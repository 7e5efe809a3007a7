/** A network in memory under one clock: the fake of session/tcp, with latency, lost streams, cuts, crashes and power failures. */
import { type AnyAddress, formatAddress } from '@network/base/net/any-address.ts'
import { coversAny, hostPrefix } from '@network/base/net/any-prefix.ts'
import type { Ipv6 } from '@network/base/net/ipv6.ts'
import { Secret } from '@network/base/run/secret.ts'
import type { Clock } from '@network/base/time/clock.ts'
import { after, type Instant, type Millis, millis } from '@network/base/time/units.ts'
import {
  type Dial,
  type DialListener,
  type Endpoint,
  type Expected,
  type Guard,
  type Listening,
  type Transport,
  UNGUARDED,
  type Wire,
  type WireListener,
} from '../session/transport.ts'
import type { Seeking } from '../unnumbered/discovery.ts'

type Accept = (wire: Wire) => WireListener | undefined

interface Watcher {
  readonly device: string
  readonly address: AnyAddress
  readonly seen: (address: Ipv6) => void
}

export class MemoryNetwork {
  readonly clock: Clock
  readonly #latency: (from: AnyAddress, to: AnyAddress) => Millis
  readonly #listening = new Map<string, Accept>()
  readonly #expected = new Map<string, readonly Expected[]>()
  readonly #wires = new Set<MemoryWire>()
  /** What is under way on a line that is cut, in order: TCP sends it again once the line is whole. */
  readonly #cuts = new Map<string, (() => void)[]>()
  readonly #lives = new Map<AnyAddress, { over: boolean }>()
  readonly #asleep = new Map<AnyAddress, (() => void)[]>()
  readonly #watchers = new Set<Watcher>()
  #nextPort = 40000

  /** Octets of one stream arrive in order, however the latency of its line changes. */
  constructor(clock: Clock, latency: (from: AnyAddress, to: AnyAddress) => Millis = () => millis(1)) {
    this.clock = clock
    this.#latency = latency
  }

  /** The network as one host sees it, until it crashes or loses power; ask again for its next life. */
  host(address: AnyAddress): Transport {
    const life = this.#lives.get(address) ?? { over: false }
    this.#lives.set(address, life)
    return {
      listen: async (at, accept) => this.#listen(at, accept),
      dial: (to, _from, listener, guard = UNGUARDED) =>
        life.over ? NO_DIAL : this.#dial(this.#endOf(address, to), to, { listener, guard }),
      links: { watch: (device, seen) => this.#watch({ device, address, seen }) },
      turn: act => void this.clock.wakeAt(this.clock.now(), act),
    }
  }

  /** Both ends of a link have one name for it. */
  #endOf(address: AnyAddress, { zone }: Endpoint): Endpoint {
    return { address, port: this.#nextPort++, ...(zone === undefined ? {} : { zone }) }
  }

  /** Those who watch an interface of the same name see each other. */
  #watch(watcher: Watcher): Seeking {
    for (const other of this.#watchers) {
      if (other.device !== watcher.device) continue
      this.#show(other, watcher)
      this.#show(watcher, other)
    }
    this.#watchers.add(watcher)
    return { again: () => undefined, close: () => void this.#watchers.delete(watcher) }
  }

  #show(to: Watcher, { address }: Watcher): void {
    const arrival = after(this.clock.now(), this.#latency(address, to.address))
    this.clock.wakeAt(arrival, () => {
      if (this.#watchers.has(to) && typeof address === 'bigint') to.seen(address)
    })
  }

  /** What arrives at a host waits in its kernel, as if the process were stopped, until `wake`. */
  sleep(address: AnyAddress): void {
    this.#asleep.set(address, [])
  }

  wake(address: AnyAddress): void {
    const waiting = this.#asleep.get(address) ?? []
    this.#asleep.delete(address)
    for (const arrive of waiting) arrive()
  }

  /** Streams that stand between any hosts. */
  get streams(): number {
    return this.#wires.size / 2
  }

  /** Nothing passes between the two, without a word to either. */
  cut(a: AnyAddress, b: AnyAddress): void {
    if (!this.#isCut(a, b)) this.#cuts.set(pair(a, b), [])
  }

  /** What was sent meanwhile arrives now, if its stream still stands. */
  mend(a: AnyAddress, b: AnyAddress): void {
    const held = this.#cuts.get(pair(a, b)) ?? []
    this.#cuts.delete(pair(a, b))
    for (const carry of held) carry()
  }

  /** Streams between the two are lost: both ends hear of it, or only the one at `a`, and the other is left half-open. */
  lose(a: AnyAddress, b: AnyAddress, who: 'both' | 'first'): void {
    for (const wire of [...this.#wires]) {
      if (wire.local.address !== a || wire.remote.address !== b) continue
      const { far } = wire
      wire.far = undefined
      wire.lose('connection reset')
      if (far === undefined) continue
      far.far = undefined
      this.#wires.delete(far)
      if (who === 'both') far.lose('connection reset')
    }
  }

  /** The process on a host dies: its kernel resets its streams and refuses new ones. */
  crash(address: AnyAddress): void {
    this.#silence(address, wire => wire.far?.deliver(() => wire.lose('connection reset')))
  }

  /** The host loses power: nobody is told. */
  powerOff(address: AnyAddress): void {
    this.#silence(address, () => undefined)
  }

  #silence(address: AnyAddress, tell: (far: MemoryWire) => void): void {
    const life = this.#lives.get(address)
    if (life !== undefined) life.over = true
    this.#lives.delete(address)
    for (const key of [...this.#listening.keys()]) if (key.startsWith(`${formatAddress(address)} `)) this.#listening.delete(key)
    for (const wire of [...this.#wires]) {
      if (wire.local.address !== address) continue
      wire.mute()
      this.#wires.delete(wire)
      if (wire.far !== undefined) tell(wire.far)
    }
  }

  #listen(at: Endpoint, accept: Accept): Listening {
    const key = doorOf(at)
    this.#listening.set(key, accept)
    return {
      endpoint: at,
      expect: peers => void this.#expected.set(key, peers),
      close: async () => {
        if (this.#listening.get(key) !== accept) return
        this.#listening.delete(key)
        this.#expected.delete(key)
      },
    }
  }

  #dial(from: Endpoint, to: Endpoint, { listener, guard }: { readonly listener: DialListener; readonly guard: Guard }): Dial {
    const arrival = after(this.clock.now(), this.#latency(from.address, to.address))
    const cancel = this.clock.wakeAt(arrival, () => {
      if (this.#isCut(from.address, to.address) || !this.#isSigned(from, to, guard)) return
      const accept = this.#listening.get(doorOf(to))
      if (accept === undefined) listener.failed({ code: 'ECONNREFUSED', says: `connection refused by port ${to.port}` })
      else this.#join(from, to, { accept, listener })
    })
    return { cancel }
  }

  /** As TCP does it: what is signed otherwise than expected is dropped without a word. */
  #isSigned(from: Endpoint, to: Endpoint, { password }: Guard): boolean {
    const peers = this.#expected.get(doorOf(to)) ?? []
    const keys = peers.filter(({ range, guard }) => guard.password !== undefined && coversAny(range, hostPrefix(from.address)))
    const best = keys.reduce<Expected | undefined>(
      (a, b) => (a === undefined || b.range.length > a.range.length ? b : a),
      undefined,
    )
    return Secret.same(best?.guard.password, password)
  }

  #join(from: Endpoint, to: Endpoint, ends: { readonly accept: Accept; readonly listener: DialListener }): void {
    const near = this.#wire(from, to)
    const far = this.#wire(to, from)
    near.far = far
    far.far = near
    near.attach(ends.listener.opened(near))
    const accepted = ends.accept(far)
    if (accepted === undefined) far.close()
    else far.attach(accepted)
  }

  #wire(local: Endpoint, remote: Endpoint): MemoryWire {
    let latest = this.clock.now()
    const arrival = (): Instant => {
      const now = after(this.clock.now(), this.#latency(local.address, remote.address))
      latest = now > latest ? now : latest
      return latest
    }
    const wire = new MemoryWire(local, remote, {
      carry: (arrive: () => void) => {
        const carry = () => void this.clock.wakeAt(arrival(), () => this.#arrive(remote.address, arrive))
        const held = this.#cuts.get(pair(local.address, remote.address))
        if (held === undefined) carry()
        else held.push(carry)
      },
      gone: (ended: MemoryWire) => this.#wires.delete(ended),
    })
    this.#wires.add(wire)
    return wire
  }

  #arrive(at: AnyAddress, arrive: () => void): void {
    const waiting = this.#asleep.get(at)
    if (waiting === undefined) arrive()
    else waiting.push(arrive)
  }

  #isCut(a: AnyAddress, b: AnyAddress): boolean {
    return this.#cuts.has(pair(a, b))
  }
}

const NO_DIAL: Dial = { cancel: () => undefined }

interface Carrier {
  /** Runs `arrive` at the other end after the latency, unless the line is cut. */
  carry(arrive: () => void): void
  gone(wire: MemoryWire): void
}

class MemoryWire implements Wire {
  readonly local: Endpoint
  readonly remote: Endpoint
  readonly #carrier: Carrier
  far: MemoryWire | undefined
  #listener: WireListener | undefined
  #open = true

  constructor(local: Endpoint, remote: Endpoint, carrier: Carrier) {
    this.local = local
    this.remote = remote
    this.#carrier = carrier
  }

  attach(listener: WireListener): void {
    this.#listener = listener
  }

  send(bytes: Uint8Array): boolean {
    const copy = bytes.slice()
    this.deliver(() => this.far?.hear(copy))
    return true
  }

  sendAll(slices: readonly Uint8Array[]): boolean {
    for (const slice of slices) this.send(slice)
    return true
  }

  guard(_guard: Guard): undefined {
    return undefined
  }

  async close(): Promise<void> {
    if (!this.#open) return
    this.mute()
    this.#carrier.gone(this)
    this.deliver(() => this.far?.lose('the peer closed the connection'))
  }

  deliver(arrive: () => void): void {
    this.#carrier.carry(arrive)
  }

  hear(bytes: Uint8Array): void {
    if (this.#open) this.#listener?.data(bytes)
  }

  lose(why: string): void {
    if (!this.#open) return
    this.#open = false
    this.#carrier.gone(this)
    this.#listener?.lost(why)
  }

  mute(): void {
    this.#open = false
  }
}

function doorOf({ address, port }: Endpoint): string {
  return `${formatAddress(address)} ${port}`
}

function pair(a: AnyAddress, b: AnyAddress): string {
  return a < b ? `${a}-${b}` : `${b}-${a}`
}
