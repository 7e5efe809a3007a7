/** One visible owner for tasks and resources: everything begun under a scope ends with it, in reverse order. */
import { Fault, reasonOf } from './fault.ts'

export type Owned = AsyncDisposable | Disposable

export class Scope {
  readonly name: string
  readonly #controller = new AbortController()
  readonly #owned: { readonly name: string; readonly end: () => Promise<void> }[] = []
  readonly #tasks = new Map<Promise<void>, string>()
  readonly #died: (name: string, reason: unknown) => void

  /** `died` hears of a task that failed while the scope was alive. */
  constructor(name: string, died: (task: string, reason: unknown) => void) {
    this.name = name
    this.#died = died
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
    await Promise.all(this.#tasks.keys())
    if (problems.length > 0) throw new Fault('scope.end', { doing: 'end', on: this.name, says: problems.join('; ') })
  }
}
