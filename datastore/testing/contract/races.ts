/** Several writers at once: of those who want the same thing exactly one gets it, and all are told the truth. */

import assert from 'node:assert/strict'
import type { Datastore } from '../../port.ts'
import { collect, numbers, options, type Promised, revisionOf, summary } from './promise.ts'

const ROUNDS = 25

/** Declares the promises about writers that meet. */
export function races(promise: Promised): void {
  promise('of many who create a key at once one does, and its document is there', async ({ store, another }) => {
    for (const round of numbers(ROUNDS)) {
      const key = `/race/${round}`
      const asked = numbers(6).map(n => (n % 2 === 0 ? store : another).create(key, n, options))
      const answers = await Promise.all(asked)
      const winner = answers.findIndex(({ is }) => is === 'written')
      assert.equal(answers.filter(({ is }) => is === 'exists').length, 5)
      const answer = answers[winner]
      assert.ok(answer?.is === 'written')
      assert.deepEqual(await another.get(key, options), { key, document: winner, revision: answer.revision })
    }
  })

  promise('of many who update from one revision one does', async ({ store, another }) => {
    let revision = revisionOf(await store.create('/a', 'start', options))
    for (const round of numbers(ROUNDS)) {
      const asked = numbers(6).map(n => (n % 2 === 0 ? store : another).update('/a', `${round}.${n}`, revision, options))
      const answers = await Promise.all(asked)
      const written = answers.flatMap(answer => (answer.is === 'written' ? [answer.revision] : []))
      assert.equal(written.length, 1)
      assert.equal(answers.filter(({ is }) => is === 'conflict').length, 5)
      revision = written[0] ?? ''
      const winner = answers.findIndex(({ is }) => is === 'written')
      assert.deepEqual(await store.get('/a', options), { key: '/a', document: `${round}.${winner}`, revision })
    }
  })

  promise('of an update and a deletion from one revision one comes to pass', async ({ store, another }) => {
    for (const round of numbers(ROUNDS)) {
      const key = `/race/${round}`
      const revision = revisionOf(await store.create(key, 'first', options))
      const update = () => store.update(key, 'second', revision, options)
      const remove = () => another.delete(key, revision, options)
      const [updated, deleted] =
        round % 2 === 0 ? await Promise.all([update(), remove()]) : (await Promise.all([remove(), update()])).toReversed()
      const entry = await store.get(key, options)
      const story = `${updated?.is} ${deleted?.is} ${entry === undefined ? 'gone' : entry.document}`
      assert.ok(['written conflict second', 'absent deleted gone'].includes(story), story)
    }
  })

  promise('of two who delete at once one did', async ({ store, another }) => {
    for (const round of numbers(ROUNDS)) {
      const key = `/race/${round}`
      const revision = revisionOf(await store.create(key, 1, options))
      const answers = await Promise.all([store, another].map(by => by.delete(key, revision, options)))
      assert.deepEqual(answers.map(({ is }) => is).toSorted(), ['absent', 'deleted'])
    }
  })

  promise('many who count together lose nothing, and a watch tells every number once', async ({ store, another }) => {
    const { revision } = await store.list('/n', options)
    await store.create('/n', 0, options)
    const seen = collect(another, '/n', revision, 91)
    await Promise.all([store, another, store, another, store, another].map(by => countOn(by, 15)))
    assert.equal((await store.get('/n', options))?.document, 90)
    assert.deepEqual(
      (await seen).map(summary),
      numbers(91).map(n => `/n ${n}`),
    )
  })

  promise('no revision is ever used twice', async ({ store, another }) => {
    const revisions: string[] = []
    for (const round of numbers(10)) {
      const created = await Promise.all([store.create(`/a/${round}`, 1, options), another.create(`/b/${round}`, 1, options)])
      const [a = '', b = ''] = created.map(revisionOf)
      revisions.push(a, b, revisionOf(await another.update(`/a/${round}`, 2, a, options)))
      await store.delete(`/b/${round}`, b, options)
    }
    assert.equal(new Set(revisions).size, revisions.length)
  })
}

async function countOn(by: Datastore, times: number): Promise<void> {
  for (let done = 0; done < times; ) {
    const entry = await by.get('/n', options)
    assert.ok(entry !== undefined)
    if ((await by.update('/n', Number(entry.document) + 1, entry.revision, options)).is === 'written') done += 1
  }
}
