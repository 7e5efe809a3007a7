/** Whether agents have heard of what was written: each says which revision of it it acts upon. */

import type { AgentStatus } from '@network/model/status.ts'
import type { Answer, HeardOf } from '../agents.ts'
import type { Context } from '../context.ts'
import { nameOf } from './refuse.ts'
import type { Done } from './write.ts'

interface Aim {
  readonly name: string
  /** Null where it is gone. */
  revision: string | null
}

export class Arrivals {
  readonly #context: Context
  /** By key. */
  readonly #aims: ReadonlyMap<string, Aim>
  /** By node. */
  readonly #sockets: ReadonlyMap<string, string>
  #heard: ReadonlyMap<string, HeardOf> | undefined

  constructor(context: Context, done: readonly Done[], answers: readonly Answer[]) {
    this.#context = context
    this.#aims = new Map(
      done.map(({ step, revision }) => [step.wish.key, { name: nameOf(step), revision: revision ?? null }] as const),
    )
    this.#sockets = new Map(answers.map(({ node, socket }) => [node, socket]))
  }

  /** Asks the agents; from the second time on, others may have written since, and then it is theirs that has to arrive. */
  async ask(): Promise<void> {
    if (this.#heard !== undefined) await this.#aimAnew()
    this.#heard = await this.#context.agents.heardOf(this.#context.signal, [...this.#sockets.values()], [...this.#aims.keys()])
  }

  /** What an agent has not heard of; undefined when there is nothing, and for agents that are too old to tell. */
  missing({ node }: Pick<AgentStatus, 'node'>): string | undefined {
    const heard = this.#heard?.get(this.#sockets.get(node) ?? '')
    const late = heard === undefined ? undefined : [...this.#aims].find(([key, aim]) => isLate(heard, key, aim))
    return late === undefined ? undefined : `it has not heard of ${late[1].name} as it is now`
  }

  async #aimAnew(): Promise<void> {
    const store = await this.#context.store()
    const heard = [...(this.#heard?.values() ?? [])]
    const open = [...this.#aims].filter(([key, aim]) => heard.some(one => isLate(one, key, aim)))
    for (const [key, aim] of open) aim.revision = (await store.get(key, this.#context))?.revision ?? null
  }
}

function isLate(heard: HeardOf, key: string, { revision }: Aim): boolean {
  const known = heard[key]
  return known !== undefined && known !== revision
}
