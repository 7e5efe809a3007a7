/** Interfaces by name and by index, as of the last look: the only place where indices live. */
import type { IfIndex, Link } from '@network/netlink/link.ts'

export class Devices {
  readonly #list: () => readonly Link[]
  #byName: ReadonlyMap<string, Link> = new Map()
  #byIndex: ReadonlyMap<IfIndex, Link> = new Map()

  constructor(list: () => readonly Link[]) {
    this.#list = list
  }

  refresh(): void {
    const links = this.#list()
    this.#byName = new Map(links.map(link => [link.name, link]))
    this.#byIndex = new Map(links.map(link => [link.index, link]))
  }

  named(name: string): Link | undefined {
    return this.#byName.get(name)
  }

  nameOf(index: IfIndex | undefined): string | undefined {
    return index === undefined ? undefined : this.#byIndex.get(index)?.name
  }

  get all(): Iterable<Link> {
    return this.#byName.values()
  }
}
