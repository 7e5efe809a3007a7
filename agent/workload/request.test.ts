import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CNI_ERROR } from '@network/model/cni.ts'
import { addressHandle, hostInterfaceName } from './names.ts'
import { readCniCall, readCniRequest } from './request.ts'

const CONFIG = JSON.stringify({ cniVersion: '1.0.0', name: 'cali', type: 'cali' })
const withFields = (fields: Record<string, unknown>) => JSON.stringify({ ...JSON.parse(CONFIG), ...fields })
const ADD = {
  CNI_COMMAND: 'ADD',
  CNI_CONTAINERID: 'abc123',
  CNI_IFNAME: 'eth0',
  CNI_NETNS: '/run/netns/web',
  CNI_ARGS: 'IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-1',
}

test('ADD names the pod by its Kubernetes arguments', () => {
  assert.deepEqual(readCniCall({ environment: ADD, config: CONFIG }), {
    is: 'add',
    version: '1.0.0',
    netns: '/run/netns/web',
    pod: { containerId: 'abc123', ifName: 'eth0', namespace: 'shop', pod: 'web-1', network: 'cali' },
  })
})

test('outside Kubernetes the container is the pod', () => {
  const call = readCniCall({ environment: { ...ADD, CNI_ARGS: '' }, config: CONFIG })
  assert.deepEqual(call.is === 'add' && call.pod, {
    containerId: 'abc123',
    ifName: 'eth0',
    namespace: 'default',
    pod: 'abc123',
    network: 'cali',
  })
})

test('an id that is no name becomes one, and two that would look alike stay apart', () => {
  const podOf = (id: string) => {
    const call = readCniCall({ environment: { ...ADD, CNI_ARGS: '', CNI_CONTAINERID: id }, config: CONFIG })
    return call.is === 'add' ? call.pod.pod : undefined
  }
  assert.match(podOf('My_Box') ?? '', /^my-box-[0-9a-f]{8}$/)
  assert.notEqual(podOf('My_Box'), podOf('my-box'))
  assert.notEqual(podOf('My_Box'), podOf('my_box'))
})

test('DEL needs no namespace: the runtime may have torn it down', () => {
  assert.equal(readCniCall({ environment: { ...ADD, CNI_COMMAND: 'DEL', CNI_NETNS: '' }, config: CONFIG }).is, 'del')
})

test('GC names what stays by container and interface, STATUS needs nothing of a container', () => {
  const config = withFields({ cniVersion: '1.1.0', 'cni.dev/valid-attachments': [{ containerID: 'abc123', ifname: 'eth0' }] })
  const call = readCniCall({ environment: { CNI_COMMAND: 'GC' }, config })
  assert.deepEqual(call, { is: 'gc', version: '1.1.0', network: 'cali', valid: new Set(['cni.abc123.eth0']) })
  const status = readCniCall({ environment: { CNI_COMMAND: 'STATUS' }, config: withFields({ cniVersion: '1.1.0' }) })
  assert.deepEqual(status, { is: 'status', version: '1.1.0' })
})

for (const body of ['', 'null', '[]', '{"environment":{"CNI_COMMAND":1},"config":"{}"}', '{"environment":{}}'])
  test(`refused on the socket: ${body || 'nothing'}`, () => {
    const call = readCniRequest(body)
    assert.equal(call.is === 'refused' && call.reply.body?.['code'], CNI_ERROR.undecodable)
  })

const REFUSED: readonly [what: string, environment: Record<string, string>, config: string, code: number, text: RegExp][] = [
  ['rubbish on standard input', ADD, '{', CNI_ERROR.undecodable, /not JSON/],
  ['a configuration that is a list', ADD, '[]', CNI_ERROR.invalidConfig, /not an object/],
  ['an unknown version', ADD, '{"cniVersion":"9.0.0"}', CNI_ERROR.incompatibleVersion, /cniVersion is "9.0.0"/],
  ['no version', ADD, '{}', CNI_ERROR.incompatibleVersion, /cniVersion/],
  ['an unknown command', { ...ADD, CNI_COMMAND: 'PAINT' }, CONFIG, CNI_ERROR.invalidEnvironment, /CNI_COMMAND is "PAINT"/],
  ['no container', { ...ADD, CNI_CONTAINERID: '' }, CONFIG, CNI_ERROR.invalidEnvironment, /CNI_CONTAINERID/],
  ['a container that is a path', { ...ADD, CNI_CONTAINERID: '../x' }, CONFIG, CNI_ERROR.invalidEnvironment, /CNI_CONTAINERID/],
  ['a long interface name', { ...ADD, CNI_IFNAME: 'a'.repeat(16) }, CONFIG, CNI_ERROR.invalidEnvironment, /CNI_IFNAME/],
  ['ADD without a namespace', { ...ADD, CNI_NETNS: '' }, CONFIG, CNI_ERROR.invalidEnvironment, /CNI_NETNS/],
  [
    'CHECK without a namespace',
    { ...ADD, CNI_COMMAND: 'CHECK', CNI_NETNS: '' },
    CONFIG,
    CNI_ERROR.invalidEnvironment,
    /CNI_NETNS/,
  ],
  ['CHECK without a result', { ...ADD, CNI_COMMAND: 'CHECK' }, CONFIG, CNI_ERROR.invalidConfig, /prevResult is missing/],
  [
    'CHECK with half a result',
    { ...ADD, CNI_COMMAND: 'CHECK' },
    withFields({ prevResult: { ips: [] } }),
    CNI_ERROR.invalidConfig,
    /prevResult is wrong: interfaces is missing/,
  ],
  ['a network without a name', ADD, '{"cniVersion":"1.0.0"}', CNI_ERROR.invalidConfig, /network's name is missing/],
  ['a network with a name that is a path', ADD, withFields({ name: '../x' }), CNI_ERROR.invalidConfig, /"\.\.\/x"/],
  [
    'GC before 1.1.0',
    { CNI_COMMAND: 'GC' },
    withFields({ 'cni.dev/valid-attachments': [] }),
    CNI_ERROR.incompatibleVersion,
    /1\.0\.0 has no GC/,
  ],
  ['STATUS before 1.1.0', { CNI_COMMAND: 'STATUS' }, CONFIG, CNI_ERROR.incompatibleVersion, /1\.0\.0 has no STATUS/],
  [
    'GC without a list',
    { CNI_COMMAND: 'GC' },
    withFields({ cniVersion: '1.1.0' }),
    CNI_ERROR.invalidConfig,
    /valid-attachments is missing/,
  ],
  [
    'GC with half an attachment',
    { CNI_COMMAND: 'GC' },
    withFields({ cniVersion: '1.1.0', 'cni.dev/valid-attachments': [{ ifname: 'eth0' }] }),
    CNI_ERROR.invalidConfig,
    /0\.containerID is missing/,
  ],
  ['a pod name with a slash', { ...ADD, CNI_ARGS: 'K8S_POD_NAME=a/b' }, CONFIG, CNI_ERROR.invalidEnvironment, /"a\/b"/],
]
for (const [what, environment, config, code, text] of REFUSED)
  test(`refused: ${what}`, () => {
    const call = readCniCall({ environment, config })
    assert.equal(call.is, 'refused')
    const body = call.is === 'refused' ? call.reply.body : null
    assert.equal(body?.code, code)
    assert.match(String(body?.msg), text)
  })

test('the host interface is "cali" and 11 hex digits, the same for the pod whatever its container', () => {
  const pod = { containerId: 'one', ifName: 'eth0', namespace: 'shop', pod: 'web-1', network: 'cali' }
  assert.match(hostInterfaceName(pod), /^cali[0-9a-f]{11}$/)
  assert.equal(hostInterfaceName(pod), hostInterfaceName({ ...pod, containerId: 'two' }))
  assert.notEqual(hostInterfaceName(pod), hostInterfaceName({ ...pod, ifName: 'net1' }))
  assert.notEqual(hostInterfaceName({ ...pod, ifName: 'net1' }), hostInterfaceName({ ...pod, pod: 'web-1.net1' }))
  assert.notEqual(addressHandle(pod), addressHandle({ ...pod, containerId: 'two' }))
})
