/** One visible owner for tasks and resources: everything begun under a scope ends with it, in reverse order. */
import type { Clock } from '../time/clock.ts'
import { after, type Millis, millis } from '../time/units.ts'
import { Fault, reasonOf } from './fault.ts'

export interface Ending {
  readonly clock: Clock
  /** How long disposal waits for tasks to end; 5 s unless told. */
  readonly patience?: Millis
}

export type Owned = AsyncDisposable | Disposable

export class Scope {
  readonly name: string
  readonly #controller = new AbortController()
  readonly #owned: { readonly name: string; readonly end: () => Promise<void> }[] = []
  readonly #tasks = new Map<Promise<void>, string>()
  readonly #died: (name: string, reason: unknown) => void
  readonly #clock: Clock
  readonly #patience: Millis

  /** `died` hears of a task that failed while the scope was alive. */
  constructor(name: string, died: (task: string, reason: unknown) => void, { clock, patience = millis(5000) }: Ending) {
    this.name = name
    this.#died = died
    this.#clock = clock
    this.#patience = patience
  }

  /** Aborts when the scope ends. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  own<T extends Owned>(resource: T, name = this.name): T {
    this.defer(name, async () => {
      if (Symbol.asyncDispose in resource) await resource[Symbol.asyncDispose]()
      else resource[Symbol.dispose]()
    })
    return resource
  }

  /** Runs `end` when the scope ends. */
  defer(name: string, end: () => Promise<void>): void {
    this.#owned.push({ name, end })
  }

  /** Starts a task whose end is awaited at disposal and whose death is heard. */
  spawn(name: string, task: (signal: AbortSignal) => Promise<void>): void {
    const running = task(this.signal).catch(reason => {
      if (!this.signal.aborted) this.#died(name, reason)
    })
    this.#tasks.set(running, name)
    void running.then(() => this.#tasks.delete(running))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#controller.abort(new Fault('scope.ended', { doing: 'go on in', on: this.name, says: 'its scope ended' }))
    const problems: string[] = []
    for (const { name, end } of this.#owned.splice(0).reverse()) {
      try {
        await end()
      } catch (reason) {
        problems.push(`${name}: ${reasonOf(reason)}`)
      }
    }
    await this.#tasksEnded()
    for (const task of this.#tasks.values()) problems.push(`${task}: still runs after ${this.#patience / 1000} s`)
    if (problems.length > 0) throw new Fault('scope.end', { doing: 'end', on: this.name, says: problems.join('; ') })
  }

  #tasksEnded(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const cancel = this.#clock.wakeAt(after(this.#clock.now(), this.#patience), resolve)
    void Promise.all(this.#tasks.keys()).then(() => {
      cancel()
      resolve()
    })
    return promise
  }
}
