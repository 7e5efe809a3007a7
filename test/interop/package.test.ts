/** The package of the BGP library, packed and installed away from this repository: the program of its README type-checks and runs beside a real BIRD 2. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, test } from 'node:test'
import { execa } from 'execa'
import { BirdRouter, layRouterCable } from './routers.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const TSC = join(ROOT, 'node_modules', '.bin', 'tsc')
const EXPECTED = ['10.20.0.0/24 via 10.9.0.2', '10.21.0.0/24 via 10.9.0.2']
const ELSEWHERE = mkdtempSync(join(tmpdir(), 'cali-package-'))
const INSTALLED = join(ELSEWHERE, 'node_modules', '@network', 'bgp')
const STRICT = ['--noEmit', '--strict', '--target', 'es2024', '--module', 'nodenext', '--types', 'node']

before(async () => {
  await execa(process.execPath, ['--disable-warning=ExperimentalWarning', 'bgp/package/build.ts'], { cwd: ROOT })
  await execa('npm', ['pack', '--offline', '--pack-destination', ELSEWHERE, join(ROOT, 'build', 'bgp')])
  const { version } = JSON.parse(readFileSync(join(ROOT, 'build', 'bgp', 'package.json'), 'utf8'))
  mkdirSync(INSTALLED, { recursive: true })
  await execa('tar', ['-xzf', join(ELSEWHERE, `network-bgp-${version}.tgz`), '--strip-components=1', '-C', INSTALLED])
  writeFileSync(join(ELSEWHERE, 'package.json'), '{"name": "elsewhere", "private": true, "type": "module"}\n')
  for (const name of dependenciesOf(join(INSTALLED, 'package.json'))) bring(name)
  bring('@types/node')
})
after(() => rmSync(ELSEWHERE, { recursive: true, force: true }))

test('what is installed names nothing of this repository', () => {
  assert.ok(!existsSync(join(ELSEWHERE, 'node_modules', '@network', 'base')))
  assert.ok(!JSON.stringify(readFileSync(join(INSTALLED, 'package.json'), 'utf8')).includes('@network/base'))
  assert.ok(existsSync(join(INSTALLED, 'LICENSE')))
})

test('the program of the README type-checks against its declarations; a wrong one does not', async () => {
  writeFileSync(join(ELSEWHERE, 'program.ts'), program())
  writeFileSync(join(ELSEWHERE, 'wrong.ts'), program().replace('asn: 64512', "asn: '64512'"))
  const checked = await execa(TSC, [...STRICT, 'program.ts'], { cwd: ELSEWHERE, reject: false })
  assert.equal(checked.exitCode, 0, checked.stdout)
  const refused = await execa(TSC, [...STRICT, 'wrong.ts'], { cwd: ELSEWHERE, reject: false })
  assert.notEqual(refused.exitCode, 0)
  assert.match(refused.stdout, /wrong\.ts.*TS2322/)
})

test('and prints the routes of a real router, under plain node', async () => {
  await layRouterCable()
  await using _router = await new BirdRouter().play({ asn: 65001 })
  writeFileSync(join(ELSEWHERE, 'program.mjs'), program())
  const child = spawn(process.execPath, ['program.mjs'], { cwd: ELSEWHERE, stdio: ['ignore', 'pipe', 'inherit'] })
  const printed: string[] = []
  for await (const line of createInterface(child.stdout)) {
    printed.push(line)
    if (printed.length === EXPECTED.length) break
  }
  child.kill('SIGTERM')
  assert.deepEqual(printed.sort(), EXPECTED)
})

test('the daemon of the package starts and checks a file', async () => {
  writeFileSync(join(ELSEWHERE, 'bgpd.yaml'), 'routerId: 192.0.2.1\nasn: 64512\n')
  const PATH = `${join(ROOT, 'node_modules', '.bin')}:${process.env['PATH'] ?? ''}`
  const checked = await execa(join(INSTALLED, 'cali-bgpd'), ['--check', '--config', 'bgpd.yaml'], {
    cwd: ELSEWHERE,
    env: { PATH },
    reject: false,
  })
  assert.equal(checked.exitCode, 0, checked.stderr)
})

function program(): string {
  const found = /```ts\n([\s\S]*?)```/.exec(readFileSync(join(ROOT, 'bgp', 'README.md'), 'utf8'))?.[1]
  assert.ok(found !== undefined)
  return found
}

/** Nothing is fetched: packages come from where this repository has them, with what they need themselves. */
function bring(name: string): void {
  const target = join(ELSEWHERE, 'node_modules', name)
  if (existsSync(target)) return
  cpSync(join(ROOT, 'node_modules', name), target, { recursive: true, dereference: true })
  for (const needed of dependenciesOf(join(target, 'package.json'))) bring(needed)
}

function dependenciesOf(manifest: string): readonly string[] {
  return Object.keys(JSON.parse(readFileSync(manifest, 'utf8')).dependencies ?? {})
}
