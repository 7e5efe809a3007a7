/** Configurations with mistakes: each is told with line, field and what mends it. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { jsonSchemaOf } from './json-schema.ts'
import { sayProblems } from './read-config.ts'
import { configSchema, SCHEMA_TITLE } from './schema.ts'
import { readSettings } from './settings.ts'

const HEAD = 'routerId: 192.0.2.1\nasn: 64512\n'

const MISTAKES: readonly { readonly name: string; readonly text: string; readonly says: readonly string[] }[] = [
  { name: 'nothing at all', text: '', says: ['1:1: routerId: is missing: add it', '1:1: asn: is missing: add it'] },
  {
    name: 'a name misspelt',
    text: `${HEAD}neighbors: []\n`,
    says: ['3:1: neighbors: no such setting here: did you mean neighbours?'],
  },
  { name: 'a name from nowhere', text: `${HEAD}kernel: true\n`, says: ['3:1: kernel: no such setting here: remove it'] },
  {
    name: 'an AS number that is none',
    text: 'routerId: 192.0.2.1\nasn: 4294967296\n',
    says: ['2:1: asn: must be a whole number from 1 to 4294967295'],
  },
  {
    name: 'an address that is none, written short',
    text: `${HEAD}neighbours:\n  - 192.0.2.300\n`,
    says: ['4:5: neighbours.0.address: "192.0.2.300" is no address; write 192.0.2.1, 2001:db8::1 or fe80::1%eth1'],
  },
  {
    name: 'host bits',
    text: `${HEAD}originate: [10.1.0.7/16]\n`,
    says: ['3:13: originate.0.prefix: host bits set in 10.1.0.7/16: write 10.1.0.0/16'],
  },
  {
    name: 'a range that goes down',
    text: `${HEAD}prefixSets:\n  ours: [10.0.0.0/8 ge 24 le 16]\n`,
    says: ['4:10: prefixSets.ours.0: "10.0.0.0/8 ge 24 le 16": lengths must go up from 8 to at most 32'],
  },
  {
    name: 'a policy that is not there',
    text: `${HEAD}policies: {in: {}}\nneighbours:\n  - address: 192.0.2.2\n    import: [inn]\n`,
    says: ['6:14: neighbours.0.import.0: there is no policy "inn": there are in'],
  },
  {
    name: 'a prefix set that is not there',
    text: `${HEAD}policies:\n  in:\n    rules:\n      - match: {not: {prefixes: [ours]}}\n        verdict: accept\n`,
    says: ['6:34: policies.in.rules.0.match.not.prefixes.0: there is no prefix set "ours": define it'],
  },
  {
    name: 'a group that is not there',
    text: `${HEAD}neighbours:\n  - {address: 192.0.2.2, group: spines}\n`,
    says: ['4:26: neighbours.0.group: there is no group "spines": define it'],
  },
  {
    name: 'a neighbour twice',
    text: `${HEAD}neighbours: [192.0.2.2, 192.0.2.2]\n`,
    says: ['3:25: neighbours.1.address: 192.0.2.2 stands here twice: remove one'],
  },
  {
    name: 'router id 0.0.0.0',
    text: 'routerId: 0.0.0.0\nasn: 64512\n',
    says: ['1:1: routerId: 0.0.0.0 names nobody: write an address of this speaker'],
  },
  {
    name: 'cluster id 0.0.0.0',
    text: `${HEAD}routeReflector: {clusterId: 0.0.0.0}\n`,
    says: ['3:18: routeReflector.clusterId: 0.0.0.0 names nobody: write an address of this speaker'],
  },
  { name: 'a hold time of two seconds', text: `${HEAD}holdTime: 2\n`, says: ['3:1: holdTime: must be 0 or at least 3 seconds'] },
  {
    name: 'an AS path pattern',
    text: `${HEAD}policies:\n  in:\n    rules:\n      - match: {asPath: "65001_"}\n        verdict: accept\n`,
    says: [
      '6:17: policies.in.rules.0.match.asPath: "65001_" in "65001_" is neither an AS number nor a range such as 64512-65534 nor "."',
    ],
  },
  {
    name: 'two mistakes',
    text: `${HEAD}holdTime: long\nfamilies: [ipv5]\n`,
    says: ['4:12: families.0: must be ipv4-unicast or ipv6-unicast', '3:1: holdTime: must be a whole number from 0 to 65535'],
  },
]

describe('a mistake', () => {
  for (const { name, text, says } of MISTAKES)
    test(name, () => {
      const read = readSettings(text)
      assert.ok(!read.ok)
      assert.deepEqual(sayProblems('f', read.problems).split('\n').sort(), says.map(each => `f:${each}`).sort())
    })

  test('of the syntax names its place', () => {
    const read = readSettings(`${HEAD}neighbours: [`)
    assert.ok(!read.ok)
    assert.equal(read.problems[0]?.line, 3)
  })

  test('a peer of another AS without policies is warned of, unless that is switched off (RFC 8212)', () => {
    const text = `${HEAD}neighbours:\n  - {address: 192.0.2.2, asn: 65001}\n`
    const read = readSettings(text)
    assert.ok(read.ok)
    assert.match(
      sayProblems('f', read.warnings),
      /^f:4:\d+: neighbours.0: no import and no export policy towards AS 65001: nothing passes/,
    )
    const open = readSettings(`${text}externalWithoutPolicy: accept\n`)
    assert.ok(open.ok)
    assert.deepEqual(open.warnings, [])
  })

  test('any text gives a verdict', () => {
    const piece = fc.constantFrom(
      'routerId',
      ': ',
      '\n',
      '- ',
      '{',
      '}',
      '[',
      ']',
      '192.0.2.1',
      '64512',
      'asn',
      '  ',
      '"',
      '&a',
      '*a',
      '#',
      '!!js',
      '\t',
    )
    const text = fc.oneof(
      fc.string(),
      fc.array(piece).map(pieces => pieces.join('')),
    )
    fc.assert(
      fc.property(text, written => {
        const read = readSettings(written)
        if (!read.ok) assert.ok(read.problems.length > 0 && read.problems.every(({ line, says }) => line >= 1 && says !== ''))
      }),
      { numRuns: 300 },
    )
  })
})

test('the published JSON schema is the one that is checked: cali-bgpd schema > bgp/daemon/config.schema.json', () => {
  const published: unknown = JSON.parse(readFileSync(join(import.meta.dirname, 'config.schema.json'), 'utf8'))
  assert.deepEqual(published, JSON.parse(JSON.stringify(jsonSchemaOf(configSchema, SCHEMA_TITLE))))
})
