/** The fake is held to what it imitates. */
import { contractOf } from './contract.ts'
import { MemoryStore } from './memory.ts'

contractOf('the store in memory', {
  async open({ keep }) {
    const store = new MemoryStore({ keep })
    return { store, another: store, close: () => store[Symbol.asyncDispose]() }
  },
})
