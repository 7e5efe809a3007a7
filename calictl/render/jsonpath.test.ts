/** Templates and columns as kubectl's users write them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { customTable } from './custom-columns.ts'
import { fillTemplate } from './jsonpath.ts'

const LIST = {
  kind: 'List',
  items: [
    { metadata: { name: 'a', labels: { 'kubernetes.io/os': 'linux' } }, spec: { size: 26, on: true } },
    { metadata: { name: 'b', labels: {} }, spec: { size: 28, list: [{ x: 1 }, { x: 2 }] } },
  ],
}

const FILLED: readonly (readonly [template: string, text: string])[] = [
  ['{.items[*].metadata.name}', 'a b'],
  ['.items[*].metadata.name', 'a b'],
  ['{$.items[0].metadata.name}', 'a'],
  ['{.items[-1].metadata.name}', 'b'],
  ['{.items[-2].metadata.name}', 'a'],
  ['{range .items[*]}{.metadata.name}={.spec.size}{"\\n"}{end}', 'a=26\nb=28\n'],
  ["{range .items[*]}{@.metadata.name}{'\\t'}{end}", 'a\tb\t'],
  ['{range .items[*]}{range .spec.list[*]}{.x};{end}{end}', '1;2;'],
  ['{.items[?(@.spec.size>26)].metadata.name}', 'b'],
  ['{.items[?(@.metadata.name=="a")].spec}', '{"size":26,"on":true}'],
  ['{.items[0].metadata.labels.kubernetes\\.io/os}', 'linux'],
  ["{.items[0].metadata.labels['kubernetes.io/os']}", 'linux'],
  ['{..x}', '1 2'],
  ['{.nothing.here}', ''],
  ['name: {.kind}!', 'name: List!'],
]

for (const [template, text] of FILLED) test(`-o jsonpath=${template}`, () => assert.equal(fillTemplate(template, LIST), text))

for (const template of ['{range .items[*]}', '{end}', '{.a'])
  test(`-o jsonpath=${template} is refused`, () => assert.throws(() => fillTemplate(template, LIST), /cannot use -o jsonpath=/))

test('columns: what is not there is <none>', () => {
  assert.equal(customTable('NAME:.metadata.name,ON:{.spec.on}', LIST.items), 'NAME  ON\na     true\nb     <none>')
})
