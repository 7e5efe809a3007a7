/** The order in which a datastore is found. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DEFAULT_DATASTORE, datastoreAt, type Sayings } from './where.ts'

const SILENT: Sayings = { flag: undefined, env: undefined, config: undefined }

const KNOWN: readonly (readonly [string, Partial<Sayings>, string, string])[] = [
  ['nothing said', {}, DEFAULT_DATASTORE, 'default'],
  ['an empty file', { config: null }, DEFAULT_DATASTORE, 'default'],
  ['a file that speaks of other things', { config: { log: 'debug' } }, DEFAULT_DATASTORE, 'default'],
  ['the file', { config: { datastore: 'sqlite:/f.db' } }, 'sqlite:/f.db', '/etc/cali/cali.yaml, datastore'],
  [
    'the environment over the file',
    { env: 'sqlite:/e.db', config: { datastore: 'sqlite:/f.db' } },
    'sqlite:/e.db',
    'CALI_DATASTORE',
  ],
  [
    'an empty variable is unset',
    { env: '', config: { datastore: 'sqlite:/f.db' } },
    'sqlite:/f.db',
    '/etc/cali/cali.yaml, datastore',
  ],
  [
    'etcd as a mapping',
    { config: { datastore: { etcd: { endpoints: ['http://10.0.0.1:2379', 'http://b:2379/'], prefix: '/cali' } } } },
    'etcd://10.0.0.1:2379,b:2379/cali',
    '/etc/cali/cali.yaml, datastore',
  ],
  [
    'etcd with all settings',
    {
      config: {
        datastore: {
          etcd: {
            endpoints: ['https://a:1'],
            username: 'u',
            passwordFile: '/p w',
            caCertFile: '/ca',
            certFile: '/c',
            keyFile: '/k',
          },
        },
      },
    },
    'etcds://a:1?username=u&passwordFile=%2Fp+w&caCertFile=%2Fca&certFile=%2Fc&keyFile=%2Fk',
    '/etc/cali/cali.yaml, datastore',
  ],
  ['the flag over all', { flag: 'sqlite:/g.db', env: 'sqlite:/e.db', config: 7 }, 'sqlite:/g.db', '--datastore'],
]

for (const [name, sayings, url, from] of KNOWN)
  test(`${name}: ${url}`, () => assert.deepEqual(datastoreAt({ ...SILENT, ...sayings }), { is: 'known', url, from }))

const NONSENSE: readonly (readonly [string, Partial<Sayings>, string])[] = [
  ['a path without scheme', { flag: '/var/lib/cali/cali.db' }, '--datastore'],
  ['an empty flag', { flag: '' }, '--datastore'],
  ['a number in the file', { config: { datastore: 7 } }, '/etc/cali/cali.yaml, datastore'],
  ['etcd without endpoints', { config: { datastore: { etcd: {} } } }, '/etc/cali/cali.yaml, datastore'],
  [
    'etcd with both schemes',
    { config: { datastore: { etcd: { endpoints: ['http://a', 'https://b'] } } } },
    '/etc/cali/cali.yaml, datastore',
  ],
  [
    'etcd with an unknown setting',
    { config: { datastore: { etcd: { endpoints: ['http://a'], password: 'x' } } } },
    '/etc/cali/cali.yaml, datastore',
  ],
  ['an unknown kind of datastore', { config: { datastore: { zookeeper: {} } } }, '/etc/cali/cali.yaml, datastore'],
  ['a file that is a list', { config: ['sqlite:/f.db'] }, '/etc/cali/cali.yaml'],
]

for (const [name, sayings, from] of NONSENSE)
  test(`${name} is refused, not passed over`, () => {
    const found = datastoreAt({ ...SILENT, ...sayings })
    assert.equal(found.is, 'nonsense')
    assert.equal(found.from, from)
  })

test('a password is not repeated', () => {
  const endpoints = ['https://root:secret@10.0.0.1:2379']
  for (const sayings of [{ flag: '//u:secret@a' }, { config: { datastore: { etcd: { endpoints } } } }]) {
    const found = datastoreAt({ ...SILENT, ...sayings })
    assert.equal(found.is, 'nonsense')
    assert.match(found.says, /…@/)
    assert.doesNotMatch(found.says, /secret/)
  }
})
