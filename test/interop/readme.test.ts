/** The program in the README of the BGP library, as printed there, against a real BIRD 2. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { before, test } from 'node:test'
import { BirdRouter, layRouterCable } from './routers.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const EXPECTED = ['10.20.0.0/24 via 10.9.0.2', '10.21.0.0/24 via 10.9.0.2']

before(layRouterCable)

test('peers with a router and prints its routes', async () => {
  const program = /```ts\n([\s\S]*?)```/.exec(readFileSync(join(ROOT, 'bgp', 'README.md'), 'utf8'))?.[1]
  assert.ok(program !== undefined)
  await using _router = await new BirdRouter().play({ asn: 65001 })
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-'], {
    cwd: ROOT,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  child.stdin.end(program)
  const printed: string[] = []
  for await (const line of createInterface(child.stdout)) {
    printed.push(line)
    if (printed.length === EXPECTED.length) break
  }
  child.kill('SIGTERM')
  assert.deepEqual(printed.sort(), EXPECTED)
})
