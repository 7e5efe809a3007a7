import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../testing/manual-clock.ts'
import { millis } from '../time/units.ts'
import { Scope } from './scope.ts'

const nobody = () => assert.fail('a task died')

test('what a scope owns ends in reverse order, after its signal aborted', async () => {
  const ended: string[] = []
  const scope = new Scope('test', nobody, { clock: new ManualClock() })
  scope.defer('first', async () => void ended.push(`first ${scope.signal.aborted}`))
  scope.own({ [Symbol.dispose]: () => void ended.push('second') })
  await scope[Symbol.asyncDispose]()
  assert.deepEqual(ended, ['second', 'first true'])
})

test('a task that dies is heard of by name; one that ends by the abort is not', async () => {
  const died: string[] = []
  const scope = new Scope('test', task => void died.push(task), { clock: new ManualClock() })
  scope.spawn('fragile', () => Promise.reject(new Error('broken')))
  scope.spawn('patient', signal => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))))
  await new Promise(setImmediate)
  await scope[Symbol.asyncDispose]()
  assert.deepEqual(died, ['fragile'])
})

test('disposal goes on past what fails to end, and says all of it', async () => {
  const scope = new Scope('test', nobody, { clock: new ManualClock() })
  scope.defer('good', async () => undefined)
  scope.defer('bad', () => Promise.reject(new Error('stuck door')))
  await assert.rejects(scope[Symbol.asyncDispose](), /cannot end test: bad: stuck door/)
})

test('disposal waits for tasks no longer than its patience, and names who stayed', async () => {
  const clock = new ManualClock()
  const scope = new Scope('test', nobody, { clock, patience: millis(1000) })
  scope.spawn('deaf', () => new Promise(() => undefined))
  const ending = scope[Symbol.asyncDispose]()
  await new Promise(setImmediate)
  clock.advance(millis(1000))
  await assert.rejects(ending, /deaf: still runs after 1 s/)
})
