import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { DeltaMap } from './delta-map.ts'

const keys = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f')
const side = fc.array(fc.tuple(keys, fc.constantFrom(1, 2)), { maxLength: 8 }).map(entries => new Map(entries))
const deed = fc.oneof(
  fc.record({ is: fc.constant('desire' as const), to: side }),
  fc.record({ is: fc.constant('observe' as const), to: side }),
  fc.record({ is: fc.constant('settle' as const) }),
)

test('property: in whatever order keys come and go, the difference is that of two maps', () => {
  fc.assert(
    fc.property(fc.array(deed, { maxLength: 20 }), deeds => {
      const delta = new DeltaMap<string, number>((want, have) => want === have)
      const model = { wanted: new Map<string, number>(), seen: new Map<string, number>(), settled: new Set<string>() }
      for (const each of deeds) {
        const upset = carryOut(delta, each)
        assert.deepEqual(upset.toSorted(), carryOutByHand(model, each).toSorted())
        const all = ['a', 'b', 'c', 'd', 'e', 'f']
        const differing = all.filter(key => model.wanted.get(key) !== model.seen.get(key))
        assert.deepEqual(delta.differing.map(({ key }) => key).toSorted(), differing)
        for (const key of all)
          assert.deepEqual([delta.at(key)?.want, delta.at(key)?.have], [model.wanted.get(key), model.seen.get(key)])
      }
    }),
  )
})

test('a key that is seen twice counts once, and what nobody names afterwards is forgotten', () => {
  const delta = new DeltaMap<string, number>((want, have) => want === have)
  delta.desireAll(new Map([['a', 1]]))
  delta.observeAll({
    forEach(visit: (have: number, key: string) => void) {
      for (const key of ['a', 'b', 'a']) visit(1, key)
    },
  })
  delta.observeAll(new Map([['a', 1]]))
  assert.deepEqual([delta.differing, delta.at('b')], [[], undefined])
})

function carryOut(delta: DeltaMap<string, number>, each: Deed): string[] {
  if (each.is === 'desire') delta.desireAll(each.to)
  if (each.is === 'settle') delta.settle()
  return each.is === 'observe' ? delta.observeAll(each.to).map(({ key }) => key) : []
}

/** The keys that were equal when that was last asked for, that nobody wants otherwise since, and that are not so any more. */
function carryOutByHand(model: Model, each: Deed): string[] {
  const { settled } = model
  const differs = (key: string) => model.wanted.get(key) !== model.seen.get(key)
  if (each.is === 'desire') model.wanted = each.to
  if (each.is === 'observe') model.seen = each.to
  if (each.is === 'settle') model.settled = new Set([...model.wanted.keys()].filter(key => !differs(key)))
  const upset = [...settled].filter(differs)
  if (each.is !== 'settle') for (const key of upset) settled.delete(key)
  if (each.is === 'desire') for (const key of settled) if (!model.wanted.has(key)) settled.delete(key)
  return each.is === 'observe' ? upset : []
}

type Deed = typeof deed extends fc.Arbitrary<infer T> ? T : never
interface Model {
  wanted: Map<string, number>
  seen: Map<string, number>
  settled: Set<string>
}
