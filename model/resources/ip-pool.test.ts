/** What people write as a pool, and what they are told. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatPrefix } from '@network/base/net/prefix.ts'
import { IP_POOL, parseIpipMode } from './ip-pool.ts'

test('a pool needs its range only', () => {
  const parsed = IP_POOL.parse(poolOf({ cidr: '10.244.0.0/16' }))
  assert.ok(parsed.ok)
  assert.equal(formatPrefix(parsed.value.cidr), '10.244.0.0/16')
  const { blockSize, ipipMode, vxlanMode, natOutgoing, disabled } = parsed.value
  assert.deepEqual(
    { blockSize, ipipMode, vxlanMode, natOutgoing, disabled },
    { blockSize: 26, ipipMode: 'Never', vxlanMode: 'Never', natOutgoing: false, disabled: false },
  )
})

const REFUSED: readonly (readonly [string, Record<string, unknown>, readonly string[]])[] = [
  ['no range', {}, ['spec.cidr: is missing']],
  ['host bits', { cidr: '10.1.0.7/16' }, ['spec.cidr: host bits set in 10.1.0.7/16: write 10.1.0.0/16']],
  ['not a range', { cidr: '10.1.0.0' }, ['spec.cidr: "10.1.0.0" is not an IPv4 prefix such as 10.244.0.0/16']],
  ['a number as range', { cidr: 7 }, ['spec.cidr: must be text, not 7']],
  [
    'an unknown mode',
    { cidr: '10.0.0.0/16', ipipMode: 'Sometimes' },
    ['spec.ipipMode: must be one of Always, CrossSubnet, Never, not "Sometimes"'],
  ],
  [
    'a mode in another case',
    { cidr: '10.0.0.0/16', ipipMode: 'crosssubnet' },
    ['spec.ipipMode: must be one of Always, CrossSubnet, Never, not "crosssubnet": did you mean CrossSubnet?'],
  ],
  [
    'a mode by its former name',
    { cidr: '10.0.0.0/16', vxlanMode: 'Off' },
    ['spec.vxlanMode: must be one of Always, CrossSubnet, Never, not "Off": it is called Never now'],
  ],
  [
    'two tunnels',
    { cidr: '10.0.0.0/16', ipipMode: 'CrossSubnet', vxlanMode: 'Always' },
    ['spec.vxlanMode: is not Never, and neither is ipipMode: a pool has one tunnel; set one of the two to Never'],
  ],
  ['blocks too large', { cidr: '10.0.0.0/8', blockSize: 19 }, ['spec.blockSize: must be 20 to 32, not 19']],
  ['blocks too small', { cidr: '10.0.0.0/8', blockSize: 33 }, ['spec.blockSize: must be 20 to 32, not 33']],
  ['half a block', { cidr: '10.0.0.0/8', blockSize: 26.5 }, ['spec.blockSize: must be a whole number, not 26.5']],
  [
    'blocks larger than the pool',
    { cidr: '10.0.0.0/28', blockSize: 26 },
    ['spec.blockSize: is larger than the pool: raise blockSize to at least the length of cidr'],
  ],
  [
    'blocks larger than the pool, by default',
    { cidr: '10.0.0.0/28' },
    ['spec.blockSize: is larger than the pool: raise blockSize to at least the length of cidr'],
  ],
  [
    'a field that nobody knows',
    { cidr: '10.0.0.0/16', ipipmode: 'Always' },
    ['spec.ipipmode: IPPool has no field "ipipmode" in spec: did you mean ipipMode?'],
  ],
  [
    'many things at once',
    { cidr: '10.1.0.7/16', ipipMode: 7, disabled: 'yes', colour: 'blue', blockSize: 'big' },
    [
      'spec.blockSize: must be a number, not "big"',
      'spec.cidr: host bits set in 10.1.0.7/16: write 10.1.0.0/16',
      'spec.colour: IPPool has no field "colour" in spec; there are cidr, blockSize, ipipMode, vxlanMode, natOutgoing, disabled, disableBGPExport, nodeSelector, allowedUses, assignmentMode',
      'spec.disabled: must be true or false, not "yes"',
      'spec.ipipMode: must be one of Always, CrossSubnet, Never, not 7',
    ],
  ],
]
for (const [name, spec, problems] of REFUSED)
  test(`${name} is refused, with place and mend`, () => assert.deepEqual(problemsOf(poolOf(spec)), problems))

const NOT_A_POOL: readonly (readonly [string, unknown, readonly string[]])[] = [
  ['nothing', undefined, ['must be an IPPool document with apiVersion, kind, metadata and spec, not nothing']],
  ['text', 'pool', ['must be an IPPool document with apiVersion, kind, metadata and spec, not "pool"']],
  ['an empty document', {}, ['apiVersion: is missing', 'kind: is missing', 'metadata: is missing', 'spec: is missing']],
  ['another kind', { ...poolOf({ cidr: '10.0.0.0/16' }), kind: 'Node' }, ['kind: must be IPPool, not "Node"']],
  [
    'another version and a bad name',
    { ...poolOf({ cidr: '10.0.0.0/16' }), apiVersion: 'v1', metadata: { name: 'My Pool' } },
    [
      'apiVersion: must be projectcalico.org/v3, not "v1"',
      'metadata.name: must consist of lower-case letters, digits, "-" and ".", and each part between dots begin and end with a letter or digit',
    ],
  ],
]
for (const [name, document, problems] of NOT_A_POOL)
  test(`${name} is not a pool`, () => assert.deepEqual(problemsOf(document), problems))

test('a Calico setting that is not there is a warning with its name; one that means nothing is none', () => {
  const parsed = IP_POOL.parse(
    poolOf({ cidr: '10.0.0.0/16', natOutgoing: true, namespaceSelector: "team == 'a'", 'nat-outgoing': false }),
  )
  assert.ok(parsed.ok)
  assert.deepEqual(
    parsed.warnings.map(({ at }) => at),
    ['spec.namespaceSelector'],
  )
  assert.equal(Object.hasOwn(parsed.document.spec, 'namespaceSelector'), false)
})

test('a selector that is wrong is pointed into', () => {
  const parsed = IP_POOL.parse(poolOf({ cidr: '10.0.0.0/16', nodeSelector: "rack = 'a'" }))
  assert.ok(!parsed.ok)
  const [problem] = parsed.problems
  assert.equal(problem?.at, 'spec.nodeSelector')
  assert.equal(problem?.shown, "rack = 'a'\n     ^")
})

const MODES: readonly (readonly [string, string | undefined])[] = [
  ['Always', 'Always'],
  ['always', 'Always'],
  ['crosssubnet', 'CrossSubnet'],
  ['CROSSSUBNET', 'CrossSubnet'],
  ['never', 'Never'],
  ['Off', 'Never'],
  ['', undefined],
  ['cross-subnet', undefined],
]
for (const [typed, mode] of MODES) test(`mode "${typed}" is ${mode}`, () => assert.equal(parseIpipMode(typed), mode))

function poolOf(spec: Record<string, unknown>): Record<string, unknown> {
  return { apiVersion: 'projectcalico.org/v3', kind: 'IPPool', metadata: { name: 'default' }, spec }
}

function problemsOf(document: unknown): readonly string[] {
  const parsed = IP_POOL.parse(document)
  assert.ok(!parsed.ok)
  return parsed.problems.map(({ at, says }) => (at === '' ? says : `${at}: ${says}`)).toSorted()
}
