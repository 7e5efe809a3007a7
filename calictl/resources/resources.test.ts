/** The verbs on resources: what files, names, labels and patches do, and what is refused whole. */
import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { openStage, type Stage } from '../testing/stage.ts'

const POOL = (name: string, cidr: string, more = '') =>
  `apiVersion: projectcalico.org/v3\nkind: IPPool\nmetadata:\n  name: ${name}\nspec:\n  cidr: ${cidr}\n${more}`

async function file(stage: Stage, name: string, text: string): Promise<string> {
  const path = join(stage.directory, name)
  await writeFile(path, text)
  return path
}

async function names(stage: Stage, kind: string): Promise<string> {
  return (await stage.calictl(['get', kind, '-A', '-o', 'jsonpath={.items[*].metadata.name}'])).out
}

test('a file is applied, again, and changed: each line says what became of a resource', async () => {
  await using stage = await openStage()
  const pools = await file(stage, 'pools.yaml', `${POOL('a', '10.1.0.0/16')}---\n${POOL('b', '10.2.0.0/16')}`)
  const steps: readonly (readonly [string, string])[] = [
    [`apply -f ${pools} --dry-run`, 'ippool/a created (dry run)\nippool/b created (dry run)'],
    ['get pools', 'There are no ippools.'],
    [`apply -f ${pools}`, 'ippool/a created\nippool/b created'],
    [`apply -f ${pools}`, 'ippool/a unchanged\nippool/b unchanged'],
    ['patch pool a -p {"spec":{"natOutgoing":true}}', 'ippool/a patched\n  spec.natOutgoing: false -> true'],
    ['label pool a rack=r1', 'ippool/a labeled\n  metadata.labels: (none) -> {"rack":"r1"}'],
    [
      `apply -f ${pools} --dry-run=server`,
      'ippool/a changed (dry run)\n  spec.natOutgoing: true -> false\nippool/b unchanged (dry run)',
    ],
    ['get pools -l rack=r1 -o name', 'ippool/a'],
    ['get pools -l !rack -o name', 'ippool/b'],
    ["get pools -l rack=='r1'||has(no) -o name", 'ippool/a'],
    [
      `replace -f ${pools}`,
      'ippool/a replaced\n  metadata.labels: {"rack":"r1"} -> (none)\n  spec.natOutgoing: true -> false\nippool/b unchanged',
    ],
    ['delete pool/a ippool/b', 'ippool/b deleted\nippool/a deleted'],
    [`delete -f ${pools} --ignore-not-found`, 'ippool/b not there\nippool/a not there'],
  ]
  for (const [line, out] of steps) {
    const ended = await stage.calictl(line)
    assert.deepEqual([line, ended.exit, ended.out], [line, 0, out], ended.err)
  }
})

test('nothing is half applied: all problems of all documents at once, with line and document', async () => {
  await using stage = await openStage()
  const bad = await file(
    stage,
    'bad.yaml',
    `${POOL('good', '10.1.0.0/16')}---\n${POOL('bad', '10.2.0.0/33', '  blokSize: 26\n')}---\n${POOL('Worse', '10.3.0.0/16')}`,
  )
  const ended = await stage.calictl(`apply -f ${bad}`)
  assert.equal(ended.exit, 2)
  assert.match(ended.err, /bad\.yaml: document 2, IPPool bad:\n(?:.*\n)?.*bad\.yaml:13: spec\.cidr: /)
  assert.match(ended.err, /bad\.yaml:14: .*did you mean blockSize\?/)
  assert.match(ended.err, /document 3, IPPool Worse:\n.*bad\.yaml:19: metadata\.name: /)
  assert.match(
    ended.err,
    /\nerror: cannot apply 3 documents: 3 problems in 2 documents, told above; mend them .*nothing was changed$/,
  )
  assert.equal(await names(stage, 'pools'), '')
})

test('rules between resources are asked before the first write; documents of one file see each other', async () => {
  await using stage = await openStage()
  const bad = await file(stage, 'overlap.yaml', `${POOL('a', '10.1.0.0/16')}---\n${POOL('b', '10.1.128.0/17')}`)
  const ended = await stage.calictl(`apply -f ${bad}`)
  assert.equal(ended.exit, 4)
  assert.match(ended.err, /overlap\.yaml:13: spec\.cidr: 10\.1\.128\.0\/17 overlaps pool a .*\(document 2\)/)
  assert.equal(await names(stage, 'pools'), '')
  const twice = await file(stage, 'twice.yaml', `${POOL('a', '10.1.0.0/16')}---\n${POOL('a', '10.1.0.0/16')}`)
  assert.match((await stage.calictl(`create -f ${twice}`)).err, /is there twice: also at .*twice\.yaml:1; leave one out/)
  const peer = `apiVersion: projectcalico.org/v3\nkind: BGPPeer\nmetadata: {name: tor}\nspec: {peerIP: 192.0.2.1, asNumber: 64601, filters: [f]}\n`
  const filter = `apiVersion: projectcalico.org/v3\nkind: BGPFilter\nmetadata: {name: f}\nspec: {}\n`
  assert.equal((await stage.calictl(`apply -f ${await file(stage, 'peer.yaml', peer)}`)).exit, 4)
  const both = await file(stage, 'both.yaml', `${peer}---\n${filter}`)
  assert.equal((await stage.calictl(`apply -f ${both}`)).out, 'bgpfilter/f created\nbgppeer/tor created')
  assert.equal((await stage.calictl('delete bgpfilter f')).exit, 4)
  assert.equal((await stage.calictl(`delete -f ${both}`)).out, 'bgppeer/tor deleted\nbgpfilter/f deleted')
})

test('what somebody else changed meanwhile is not overwritten: exit 4, with the mend', async () => {
  await using stage = await openStage()
  await stage.calictl('ippool create a --cidr 10.1.0.0/16')
  const seen = await file(stage, 'seen.yaml', (await stage.calictl('get pool a -o yaml')).out)
  assert.equal((await stage.calictl(`apply -f ${seen}`)).out, 'ippool/a unchanged')
  await stage.calictl('label pool a rack=r1')
  const ended = await stage.calictl(`apply -f ${seen}`)
  assert.equal(ended.exit, 4)
  assert.match(ended.err, /metadata\.resourceVersion: is \S+, and the resource is \S+ by now: .*get it again, and change that/)
})

test('a write that another overtakes is planned again, and never lost', async () => {
  await using stage = await openStage()
  await stage.calictl('ippool create a --cidr 10.1.0.0/16')
  const lines = Array.from({ length: 8 }, (_, at) => stage.calictl(`label pool a l${at}=v`))
  const exits = (await Promise.all(lines)).map(({ exit }) => exit)
  const labels = (await stage.calictl(['get', 'pool', 'a', '-o', 'jsonpath={.metadata.labels}'])).out
  assert.equal(Object.keys(JSON.parse(labels)).length, exits.filter(exit => exit === 0).length)
  assert.ok(exits.includes(0))
})

test('of overlapping pools that are applied at once, at most one stays', async () => {
  await using stage = await openStage()
  const files = await Promise.all(
    ['10.1.0.0/16', '10.1.0.0/17', '10.1.64.0/18'].map((cidr, at) => file(stage, `p${at}.yaml`, POOL(`p${at}`, cidr))),
  )
  await Promise.all(files.map(path => stage.calictl(`apply -f ${path}`)))
  assert.ok((await names(stage, 'pools')).split(' ').length <= 1)
})

test('namespaces: default, -n, of the file; -A shows all', async () => {
  await using stage = await openStage()
  const sets = (more: string) =>
    `apiVersion: projectcalico.org/v3\nkind: NetworkSet\nmetadata: {name: s${more}}\nspec: {nets: [192.0.2.0/24]}\n`
  const plain = await file(stage, 'plain.yaml', sets(''))
  const shop = await file(stage, 'shop.yaml', sets(', namespace: shop'))
  assert.match((await stage.calictl(`apply -f ${plain}`)).err, /^note: NetworkSet: .*nothing enforces them yet\.$/)
  await stage.calictl(`apply -f ${plain} -n web`)
  await stage.calictl(`apply -f ${shop} -n web`)
  assert.equal((await stage.calictl('get networksets -A')).out, 'NAMESPACE  NAME\ndefault    s\nshop       s\nweb        s')
  assert.equal((await stage.calictl('get netset shop/s -o jsonpath={.metadata.namespace}')).out, 'shop')
  assert.equal((await stage.calictl('delete networksets s -n web')).out, 'networkset/web/s deleted')
  assert.equal(
    (await stage.calictl('delete networksets --all -A')).out,
    'networkset/shop/s deleted\nnetworkset/default/s deleted',
  )
})

test('what agents write is looked at only', async () => {
  await using stage = await openStage()
  const affinity = `apiVersion: projectcalico.org/v3\nkind: BlockAffinity\nmetadata: {name: 10-1-0-0-26}\nspec: {cidr: 10.1.0.0/26, node: a, state: confirmed}\n`
  const ended = await stage.calictl(`apply -f ${await file(stage, 'affinity.yaml', affinity)}`)
  assert.equal(ended.exit, 4)
  assert.match(ended.err, /agents write blockaffinities, people look at them/)
})

test('a directory, a list, standard input, and Calico kinds that are not here', async () => {
  await using stage = await openStage()
  await mkdir(join(stage.directory, 'all', 'deep'), { recursive: true })
  await file(stage, 'all/a.yaml', POOL('a', '10.1.0.0/16'))
  await file(stage, 'all/deep/b.yml', POOL('b', '10.2.0.0/16'))
  await file(stage, 'all/notes.txt', 'not a document')
  assert.equal((await stage.calictl(`apply -f ${stage.directory}/all`)).out, 'ippool/a created')
  assert.equal((await stage.calictl(`apply -R -f ${stage.directory}/all`)).out, 'ippool/a unchanged\nippool/b created')
  const list = (await stage.calictl('get pools -o json')).out
  const stdin = async () => list
  assert.equal((await stage.calictl('delete -f -', { readText: stdin })).out, 'ippool/b deleted\nippool/a deleted')
  const foreign = await file(
    stage,
    'foreign.yaml',
    'apiVersion: projectcalico.org/v3\nkind: ClusterInformation\nmetadata: {name: default}\n',
  )
  const passed = await stage.calictl(`apply -f ${foreign}`)
  assert.deepEqual([passed.exit, passed.out], [0, 'nothing to apply'])
  assert.match(passed.err, /ClusterInformation default is passed over: Cali has no such kind/)
  assert.equal((await stage.calictl(`apply -f ${stage.directory}/none.yaml`)).exit, 3)
  assert.equal((await stage.calictl(`apply -f ${await file(stage, 'empty.yaml', '')}`)).exit, 2)
})

const WRONG: readonly (readonly [string, number, RegExp])[] = [
  ['get pols', 2, /there is no such kind; did you mean pools\?/],
  ['get profiles', 2, /the kinds are agentconfigurations, /],
  ['get pool b', 3, /cannot show IPPool b: there is no such resource; the ippools are a$/],
  ['get pools,nodes x', 2, /names cannot be of several kinds/],
  ['get pools -l ((', 2, /cannot use -l: /],
  ['get pools -o custom-columns=NAME', 2, /a column is a title and a path/],
  ['get pools -o jsonpath={.items', 2, /a brace has no partner/],
  ['label pool a', 2, /cannot label ippool\/a: no label is given; write label=value/],
  ['patch pool a -p [{}]', 2, /a list of operations goes with --type json/],
  ['patch pool a -p 7', 2, /it is no mapping of fields/],
  ['delete pools', 2, /no name is given; name them, or write --all/],
  ['delete', 2, /neither a kind nor a file is given/],
  ['delete pool b', 3, /cannot delete IPPool b: there is no such IPPool/],
  ['patch pool a -p {"spec":{"cidr":"10.9.0.0/16"}}', 4, /spec\.cidr is 10\.1\.0\.0\/16 and cannot be changed/],
  ['patch pool a -p {"spec":{"ipipMod":1}}', 2, /cannot patch ippool\/a: /],
  ['patch pool a -p {', 2, /cannot read the patch/],
  ['patch pool a -p {} --type magic', 2, /there is no such type of patch; write merge, strategic, json/],
  ['patch pool a -p {"metadata":{"name":"b"}}', 2, /its name and namespace cannot be changed/],
  ['patch pool a --type json -p [{"op":"test","path":"/spec/natOutgoing","value":true}]', 4, /it is not true/],
  ['label pool a b', 2, /it has no value; write b=value/],
  ['label pool a b=c --wait --timeout soon', 2, /--timeout soon: it takes whole seconds; .*nothing was changed$/],
  ['apply', 2, /required option '-f, --filename <path>' not specified/],
]

test('what cannot be is told in a sentence, and nothing changes', async t => {
  await using stage = await openStage()
  await stage.calictl('ippool create a --cidr 10.1.0.0/16')
  const before = (await stage.calictl('get pools -o json')).out
  for (const [line, exit, says] of WRONG)
    await t.test(line, async () => {
      const ended = await stage.calictl(line)
      assert.match(ended.err, says)
      assert.deepEqual([ended.exit, ended.out], [exit, ''])
    })
  assert.equal((await stage.calictl('get pools -o json')).out, before)
})

test('get all: everything that there is, kind by kind', async () => {
  await using stage = await openStage()
  await stage.calictl('ippool create a --cidr 10.1.0.0/16')
  await stage.calictl('bgp peer create tor peerIP=192.0.2.1 asNumber=64601')
  const { exit, out } = await stage.calictl('get all')
  assert.equal(exit, 0)
  assert.match(out, /^NAME +CIDR .*\nippool\/a .*\n\nNAME +PEERIP .*\nbgppeer\/tor /)
  assert.equal((await stage.calictl('get all -o name')).out, 'ippool/a\nbgppeer/tor')
  assert.equal((await stage.calictl('get all -l no')).out, 'There are no resources with such labels.')
})

test('a document that lies under the key of another is told, and not shown as what it says', async () => {
  await using stage = await openStage()
  await stage.calictl('ippool create a --cidr 10.1.0.0/16')
  const lost = JSON.parse((await stage.calictl('get pool a -o json')).out)
  await stage.store.create('/cali/v1/ippools/z', { ...lost, metadata: { name: 'y' } }, stage.options)
  const { out, err } = await stage.calictl('get pools -o name')
  assert.equal(out, 'ippool/a')
  assert.match(
    err,
    /ippools\/z cannot be read and counts as absent: metadata\.name lies under .*ippools\/z but names itself .*\/y$/,
  )
  assert.equal((await stage.calictl('delete pool z')).out, 'ippool/z deleted')
})

test('a watch tells what is there and then every change, until its reader goes', async () => {
  await using stage = await openStage()
  await stage.calictl('ippool create a --cidr 10.1.0.0/16')
  const gone = new AbortController()
  const lines: string[] = []
  const seen = Promise.withResolvers<void>()
  const out = (line: string) => {
    lines.push(line)
    if (lines.length === 2) void stage.calictl('label pool a rack=r1')
    if (lines.length === 3) void stage.calictl('delete pool a')
    // It is disabled first, then it goes.
    if (line.startsWith('DELETED')) seen.resolve()
  }
  const watching = stage.calictl('get pools --watch', { out, readerGone: gone.signal })
  await seen.promise
  gone.abort()
  assert.equal((await watching).exit, 0)
  assert.deepEqual(lines.slice(0, 3), [
    'EVENT     NAME  CIDR         SELECTOR',
    'ADDED     a     10.1.0.0/16  all()',
    'MODIFIED  a     10.1.0.0/16  all()',
  ])
})
