/** What may not last: forwarding loops, and routes towards a speaker that no longer has the prefix. */
import type { World } from './world.ts'

export interface Complaint {
  readonly is: 'loop' | 'stale route' | 'wrong table' | 'session missing'
  readonly says: string
}

/** Looks at all tables from time to time, and remembers since when each wrong is there. */
export class Watch {
  readonly #world: World
  /** A wrong that is older than this, in milliseconds, is a complaint. */
  readonly #patience: number
  readonly #since = new Map<string, number>()

  constructor(world: World, patience: number) {
    this.#world = world
    this.#patience = patience
  }

  look(): Complaint | undefined {
    const now = this.#world.clock.now()
    const wrongs = this.#wrongs()
    for (const key of [...this.#since.keys()]) if (!wrongs.has(key)) this.#since.delete(key)
    for (const [key, complaint] of wrongs) {
      const since = this.#since.get(key) ?? now
      this.#since.set(key, since)
      if (now - since > this.#patience) return { ...complaint, says: `${complaint.says}, for ${(now - since) / 1000} s` }
    }
    return undefined
  }

  #wrongs(): ReadonlyMap<string, Complaint> {
    const world = this.#world
    const originated = world.originated
    const tables = world.topology.speakers.map(({ index }) => world.tableOf(index))
    const wrongs = new Map<string, Complaint>()
    tables.forEach((table, from) => {
      for (const prefix of table?.keys() ?? []) {
        const end = follow(
          from,
          hop => world.isForwarding(hop) && originated[hop]?.has(prefix) === true,
          hop => tables[hop]?.get(prefix)?.nextHop,
        )
        const path = end.path.join(' > ')
        if (end.is === 'loop') wrongs.set(`loop ${from} ${prefix}`, { is: 'loop', says: `${prefix} goes in circles: ${path}` })
        const last = end.path.at(-1) ?? from
        if (end.is === 'nowhere' && (tables[last] !== undefined || !world.isForwarding(last)))
          wrongs.set(`stale ${from} ${prefix}`, { is: 'stale route', says: `${prefix} ends nowhere: ${path}` })
      }
    })
    return wrongs
  }
}

interface Followed {
  readonly is: 'arrived' | 'loop' | 'nowhere'
  /** Indices of the speakers passed, the first included. */
  readonly path: readonly number[]
}

function follow(from: number, isHome: (hop: number) => boolean, next: (hop: number) => number | undefined): Followed {
  const path = [from]
  for (let hop = next(from); ; hop = next(hop)) {
    if (hop === undefined || hop < 0) return { is: 'nowhere', path }
    const isCircle = path.includes(hop)
    path.push(hop)
    if (isHome(hop)) return { is: 'arrived', path }
    if (isCircle) return { is: 'loop', path }
  }
}
