/** The selector language: held to a slow obvious evaluator, and pointing at what is wrong. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseSelector, pointAt } from './parse.ts'
import { formatSelector, type Labels, matches, type Selector } from './selector.ts'

const PLAIN = { noNullPrototype: true } as const
const label = fc.constantFrom('a', 'b', 'rack', 'example.com/zone', 'has', 'in', 'all', 'constructor')
const text = fc.constantFrom('', 'r', 'r1', 'r12', '2', "it's", 'x y')

const { selector } = fc.letrec<{ selector: Selector; leaf: Selector }>(tie => ({
  leaf: fc.oneof(
    fc.constant<Selector>({ is: 'all' }),
    fc.record({ is: fc.constant('has' as const), label }, PLAIN),
    fc.record({ is: fc.constantFrom('==' as const, '!=', 'contains', 'starts with', 'ends with'), label, value: text }, PLAIN),
    fc.record({ is: fc.constantFrom('in' as const, 'not in'), label, values: fc.array(text, { maxLength: 3 }) }, PLAIN),
  ),
  selector: fc.oneof(
    { maxDepth: 4 },
    tie('leaf'),
    fc.record({ is: fc.constant('not' as const), of: tie('selector') }, PLAIN),
    fc.record(
      { is: fc.constantFrom('and' as const, 'or'), of: fc.array(tie('selector'), { minLength: 2, maxLength: 3 }) },
      PLAIN,
    ),
  ),
}))

const labels: fc.Arbitrary<Labels> = fc.dictionary(label, text, { noNullPrototype: true })

/** Says what a selector means by trying every label on every text, word for word as the language is described. */
function obviously(asked: Selector, has: Labels): boolean {
  const pairs = Object.entries(has)
  switch (asked.is) {
    case 'all':
      return true
    case 'global':
      return false
    case 'has':
      return pairs.filter(([key]) => key === asked.label).length === 1
    case '==':
      return pairs.filter(([key, value]) => key === asked.label && value === asked.value).length === 1
    case '!=':
      return pairs.filter(([key, value]) => key === asked.label && value === asked.value).length === 0
    case 'contains':
      return pairs.some(
        ([key, value]) =>
          key === asked.label && [...`${value} `].some((_, at) => value.slice(at, at + asked.value.length) === asked.value),
      )
    case 'starts with':
      return pairs.some(([key, value]) => key === asked.label && value.slice(0, asked.value.length) === asked.value)
    case 'ends with':
      return pairs.some(
        ([key, value]) =>
          key === asked.label &&
          value.length >= asked.value.length &&
          value.slice(value.length - asked.value.length) === asked.value,
      )
    case 'in':
      return asked.values.filter(one => pairs.some(([key, value]) => key === asked.label && value === one)).length > 0
    case 'not in':
      return asked.values.filter(one => pairs.some(([key, value]) => key === asked.label && value === one)).length === 0
    case 'not':
      return obviously(asked.of, has) === false
    case 'and':
      return asked.of.filter(one => obviously(one, has)).length === asked.of.length
    case 'or':
      return asked.of.filter(one => obviously(one, has)).length > 0
    default:
      return asked satisfies never
  }
}

test('what matches is what the obvious evaluator says', () => {
  fc.assert(
    fc.property(selector, labels, (asked, has) => assert.equal(matches(asked, has), obviously(asked, has))),
    { numRuns: 2000 },
  )
})

test('a selector that is printed is read back as what it means, and printed the same', () => {
  fc.assert(
    fc.property(selector, labels, (asked, has) => {
      const printed = formatSelector(asked)
      const read = parseSelector(printed)
      assert.ok(read.ok, printed)
      assert.equal(matches(read.value, has), obviously(asked, has), printed)
      assert.equal(formatSelector(read.value), printed)
    }),
    { numRuns: 1000 },
  )
})

test('no text makes the parser throw, and what it refuses it points into', () => {
  const pieces = fc.array(
    fc.constantFrom('a', ' ', '(', ')', '!', '&&', '||', '==', "'", '"', '{', '}', ',', 'in', 'not', 'has(', 'all()', '='),
  )
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        pieces.map(all => all.join('')),
      ),
      input => {
        const read = parseSelector(input)
        assert.ok(read.ok || (read.at >= 0 && read.at <= input.length))
      },
    ),
    { numRuns: 2000 },
  )
  assert.equal(parseSelector('('.repeat(100_000)).ok, false)
  assert.equal(parseSelector('!'.repeat(100_000)).ok, false)
})

const MEANT: readonly (readonly [string, string])[] = [
  ['', 'all()'],
  ['all( )', 'all()'],
  ['global()', 'global()'],
  ['has(x)', 'has(x)'],
  ['!has(x)', '!has(x)'],
  [`a=="b"`, "a == 'b'"],
  ["a != 'b'", "a != 'b'"],
  ["k in {'a','b'}", "k in {'a', 'b'}"],
  ['k not in { }', 'k not in {}'],
  ["k contains 's'", "k contains 's'"],
  ['k starts  with \'s\' && j ends with "t"', "k starts with 's' && j ends with 't'"],
  ["a == 'x' || b == 'y' && c == 'z'", "a == 'x' || b == 'y' && c == 'z'"],
  ["(a == 'x' || b == 'y') && c == 'z'", "(a == 'x' || b == 'y') && c == 'z'"],
  ['!(has(a) && has(b))', '!(has(a) && has(b))'],
  ["in in {'in'}", "in in {'in'}"],
  ["example.com/zone == 'a'", "example.com/zone == 'a'"],
]
for (const [written, printed] of MEANT)
  test(`${JSON.stringify(written)} is ${printed}`, () => {
    const read = parseSelector(written)
    assert.ok(read.ok)
    assert.equal(formatSelector(read.value), printed)
  })

const WRONG: readonly (readonly [string, number, string])[] = [
  ["rack = 'a'", 5, 'expected "==" for "is equal" after the label rack, found "="'],
  ['has(rack', 8, 'expected ")" after the label, found the end'],
  ['has()', 4, 'expected the label that "has" asks for, found ")"'],
  ['a == b', 5, 'expected a text in quotes, found "b"'],
  ["a == 'b", 5, "begins a text that no second ' ends"],
  ["a == 'b' &&", 11, 'expected a label, all(), has(label), "!" or "(", found the end'],
  ["a == 'b' & c == 'd'", 9, 'expected "&&", "||" or the end, found "&"'],
  ["(a == 'b'", 9, 'expected ")", "&&" or "||", found the end'],
  ["a == 'b')", 8, 'expected a "(" before this ")", found ")"'],
  ["k in 'a'", 5, 'expected "{" and a list of texts, found "\'"'],
  ["k in {'a' 'b'}", 10, 'expected "," or "}", found "\'"'],
  [
    'any()',
    3,
    'expected "==", "in" or another comparison after the label any; the functions are all(), global() and has(label), found "("',
  ],
]
for (const [written, at, says] of WRONG)
  test(`${written} is refused at character ${at + 1}`, () => {
    assert.deepEqual(parseSelector(written), { ok: false, at, says })
  })

test('the place is under the character, in a long text too', () => {
  assert.equal(pointAt("rack = 'a'", 5), "rack = 'a'\n     ^")
  const long = `${"a == 'b' && ".repeat(20)}x = 'y'`
  const [line = '', caret = ''] = pointAt(long, long.indexOf(" = 'y'") + 1).split('\n')
  assert.equal(line.charAt(caret.indexOf('^')), '=')
})
