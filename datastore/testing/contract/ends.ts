/** Calls that are abandoned, and stores that are closed. */

import assert from 'node:assert/strict'
import { Fault } from '@network/base/run/fault.ts'
import { collect, numbers, options, type Promised, revisionOf } from './promise.ts'

/** Declares the promises about ends. */
export function ends(promise: Promised): void {
  promise('a call with an aborted signal rejects with its reason and does nothing', async ({ store }) => {
    const reason = new Error('enough')
    const aborted = { signal: AbortSignal.abort(reason) }
    const there = revisionOf(await store.create('/there', 1, options))
    await assert.rejects(store.get('/a', aborted), reason)
    await assert.rejects(store.list('/a', aborted), reason)
    await assert.rejects(store.create('/a', 1, aborted), reason)
    await assert.rejects(store.update('/there', 2, there, aborted), reason)
    await assert.rejects(store.delete('/there', there, aborted), reason)
    assert.equal(await store.get('/a', options), undefined)
    assert.deepEqual(await store.get('/there', options), { key: '/there', document: 1, revision: there })
  })

  promise(
    'a write that is abandoned on its way came to pass or did not, and what was acknowledged did',
    async ({ store, another }) => {
      for (const n of numbers(20)) {
        const abandon = new AbortController()
        const reason = new Error(`enough of ${n}`)
        const writing = store.create(`/a/${n}`, n, { signal: abandon.signal })
        abandon.abort(reason)
        const answer = await writing.catch((thrown: unknown) => thrown)
        const entry = await another.get(`/a/${n}`, options)
        if (answer !== reason) assert.deepEqual({ is: 'written', revision: entry?.revision }, answer)
        const again = await another.create(`/a/${n}`, n, options)
        assert.equal(again.is, entry === undefined ? 'written' : 'exists')
      }
    },
  )

  promise('one who gives up takes nobody along', async ({ store }) => {
    const abandon = new AbortController()
    const writing = numbers(10).map(n => store.create(`/a/${n}`, n, n === 3 ? { signal: abandon.signal } : options))
    abandon.abort(new Error('enough'))
    const answers = await Promise.allSettled(writing)
    for (const [n, answer] of answers.entries()) if (n !== 3) assert.equal(answer.status, 'fulfilled', `write ${n}`)
  })

  promise('a closed store says so, to open watches too, and closes twice', async ({ store }) => {
    const { revision } = await store.list('', options)
    const watching = collect(store, '', revision, 1)
    await store[Symbol.asyncDispose]()
    await store[Symbol.asyncDispose]()
    await assert.rejects(watching, { code: 'datastore.closed' })
    const calls = [
      () => store.get('/a', options),
      () => store.list('/a', options),
      () => store.create('/a', 1, options),
      () => store.update('/a', 1, '1', options),
      () => store.delete('/a', '1', options),
      () => collect(store, '', revision, 1),
    ]
    for (const call of calls)
      await assert.rejects(call(), (reason: unknown) => reason instanceof Fault && reason.code === 'datastore.closed')
  })
}
