/** Small programs that tests run as processes of their own: `node children.ts <what> <path> <arguments>`. */

import { createInterface } from 'node:readline'
import { formatIpv4 } from '@network/base/net/ipv4.ts'
import { systemClock, systemRandom } from '@network/base/time/clock.ts'
import { EmbeddedStore } from '../embedded/store.ts'
import { Ipam } from '../ipam/ipam.ts'

const chance = { clock: systemClock, random: systemRandom }
const signal = new AbortController().signal

const [what, path, ...rest] = process.argv.slice(2)
if (path === undefined) throw new Error('which file?')
await using store = await EmbeddedStore.open(path, chance)
switch (what) {
  case 'assign':
    await assignMany(String(rest[0]), Number(rest[1]))
    break
  case 'write':
    await writeOn()
    break
  case 'count':
    await count(Number(rest[0]))
    break
  case 'echo':
    await echo(Number(rest[0]))
    break
  default:
    throw new Error(`what is ${what}?`)
}

/** Waits for a line, then asks for all addresses at once; prints them as JSON. */
async function assignMany(node: string, count: number): Promise<void> {
  const ipam = new Ipam(store, node, chance)
  process.stdout.write('ready\n')
  for await (const _ of createInterface(process.stdin)) break
  const wanted = Array.from({ length: count }, (_, n) => ipam.assign({ handle: `${node}-${n}`, use: `test/${n}`, signal }))
  const answers = await Promise.all(wanted)
  process.stdout.write(`${JSON.stringify(answers.map(one => (one.is === 'assigned' ? formatIpv4(one.address) : one.is)))}\n`)
}

/** Writes until it is killed; prints each number when the store has acknowledged it. */
async function writeOn(): Promise<void> {
  for (let n = 0; ; n++) {
    const created = await store.create(`/w/${n}`, { n, filling: 'x'.repeat(300) }, { signal })
    if (created.is === 'written') process.stdout.write(`${n}\n`)
  }
}

/** Waits for a line, then counts `/n` up and claims as many keys, together with others; prints how many claims were its own. */
async function count(times: number): Promise<void> {
  process.stdout.write('ready\n')
  for await (const _ of createInterface(process.stdin)) break
  for (let done = 0; done < times; ) {
    const entry = await store.get('/n', { signal })
    if (entry === undefined) throw new Error('there is nothing to count on')
    if ((await store.update('/n', Number(entry.document) + 1, entry.revision, { signal })).is === 'written') done += 1
  }
  let claimed = 0
  for (let n = 0; n < times; n++) if ((await store.create(`/claim/${n}`, process.pid, { signal })).is === 'written') claimed += 1
  process.stdout.write(`${claimed}\n`)
}

/** Answers every `/ping/n` with a `/pong/n`. */
async function echo(count: number): Promise<void> {
  const { revision } = await store.list('/ping/', { signal })
  process.stdout.write('ready\n')
  for await (const { key, entry } of store.watch('/ping/', { from: revision, signal })) {
    await store.create(key.replace('ping', 'pong'), entry?.document, { signal })
    if (entry?.document === count - 1) return
  }
}
