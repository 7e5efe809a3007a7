/** Who may import whom, and what may not happen in a pure room. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { isTest, ROOT, SOURCES, type Source } from './sources.ts'

/** Each room with those it may import, and why no others. */
const ARROWS: Readonly<Record<string, { readonly may: readonly string[]; readonly because: string }>> = {
  base: { may: [], because: 'it is the ground' },
  model: { may: ['base'], because: 'resources know no storage' },
  netlink: { may: ['base'], because: 'a kernel library knows no Cali: someone must be able to use it without us' },
  bgp: { may: ['base'], because: 'a BGP library knows no Cali: someone must be able to use it without us' },
  datastore: { may: ['model', 'base'], because: 'storage does not plan' },
  ipip: { may: ['model', 'base'], because: 'encapsulation plans and does not touch the kernel' },
  vxlan: { may: ['model', 'base'], because: 'encapsulation plans and does not touch the kernel' },
  cni: { may: ['model', 'base'], because: "it is a thin client of the agent's socket: no credentials, no kernel, no datastore" },
  calictl: { may: ['datastore', 'model', 'base'], because: 'it reads agents through their status socket' },
  agent: {
    may: ['base', 'model', 'datastore', 'netlink', 'bgp', 'ipip', 'vxlan'],
    because: 'it composes, and nobody imports it',
  },
  test: {
    may: ['base', 'model', 'datastore', 'netlink', 'bgp', 'ipip', 'vxlan', 'agent', 'cni', 'calictl'],
    because: 'it spans all',
  },
}

test('imports follow the arrows', () => {
  const broken = SOURCES.flatMap(source =>
    source.imports.flatMap(({ file }) => {
      const target = file?.split('/')[0]
      const arrow = ARROWS[source.room]
      if (target === undefined || target === source.room || arrow?.may.includes(target)) return []
      return [
        `${source.path} imports ${file}: ${source.room} may import ${arrow?.may.join(', ') || 'nothing'}, because ${arrow?.because}`,
      ]
    }),
  )
  assert.deepEqual(broken, [])
})

test('every import of ours names a file that is there', () => {
  const broken = SOURCES.flatMap(({ path, imports }) =>
    imports.flatMap(({ file, from }) =>
      !file?.endsWith('.ts') || existsSync(join(ROOT, file)) ? [] : [`${path} imports ${from}`],
    ),
  )
  assert.deepEqual(broken, [])
})

test('product code imports no test code', () => {
  const broken = SOURCES.filter(({ path }) => !isTest(path)).flatMap(({ path, imports }) =>
    imports.flatMap(({ file }) => (file !== undefined && isTest(file) ? [`${path} imports ${file}`] : [])),
  )
  assert.deepEqual(broken, [])
})

const PURE = [
  'base/net/',
  'base/bytes/',
  'base/state/',
  'model/',
  'bgp/wire/',
  'bgp/attributes/',
  'bgp/fsm/',
  'bgp/rib/',
  'bgp/export/',
  'bgp/policy/',
  'ipip/',
  'vxlan/',
  'agent/plan/',
  'datastore/ipam/blocks.ts',
]
const IMPURE =
  /\b(?:Date\.now|new Date\(\)|performance\.now|setTimeout|setInterval|setImmediate|Math\.random|process\.env|console\.)/

test('pure rooms do no input or output and know neither clock nor chance', () => {
  const pure = SOURCES.filter(({ path }) => PURE.some(room => path.startsWith(room)) && !isTest(path))
  assert.ok(pure.length > 20, 'the pure rooms are where this test looks for them')
  const broken = pure.flatMap(({ path, text, imports }) => [
    ...imports.filter(({ from }) => from.startsWith('node:')).map(({ from }) => `${path} imports ${from}`),
    ...(IMPURE.test(text) ? [`${path} uses ${IMPURE.exec(text)?.[0]}`] : []),
  ])
  assert.deepEqual(broken, [])
})

const TIME_OR_CHANCE = /\b(?:Date\.now\(|setTimeout\(|setInterval\(|Math\.random\b)/
/** The plugin has no clock of ours to start with; tests of labs start real processes. */
const MAY_TELL_TIME = ['base/time/clock.ts']

test('time and chance come from base/time alone', () => {
  const broken = SOURCES.filter(
    ({ path }) => !isTest(path) && !MAY_TELL_TIME.includes(path) && TIME_OR_CHANCE.test(withoutComments(path)),
  ).map(({ path }) => path)
  assert.deepEqual(broken, [])
})

test('no import runs in a circle', () => {
  const next = new Map(
    SOURCES.map(({ path, imports }) => [
      path,
      imports.flatMap(({ file, typeOnly }) => (file === undefined || typeOnly ? [] : [file])),
    ]),
  )
  const circles: string[] = []
  const done = new Set<string>()
  const walk = (path: string, trail: readonly string[]) => {
    if (trail.includes(path)) circles.push([...trail.slice(trail.indexOf(path)), path].join(' -> '))
    if (trail.includes(path) || done.has(path)) return
    for (const file of next.get(path) ?? []) walk(file, [...trail, path])
    done.add(path)
  }
  for (const path of next.keys()) walk(path, [])
  assert.deepEqual(circles, [])
})

test('every file of the product opens with a sentence that says what it is', () => {
  const silent = SOURCES.filter(({ path, text }) => !isTest(path) && !/^(?:#!.*\n)?\/\*\*/.test(text)).map(({ path }) => path)
  assert.deepEqual(silent, [])
})

function withoutComments(path: string): string {
  const source: Source | undefined = SOURCES.find(one => one.path === path)
  return (source?.text ?? '').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')
}
