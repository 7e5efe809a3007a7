import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CNI_ERROR } from '@network/model/cni.ts'
import { addressHandle, hostInterfaceName } from './names.ts'
import { readCniCall } from './request.ts'

const CONFIG = JSON.stringify({ cniVersion: '1.0.0', name: 'cali', type: 'cali' })
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
    pod: { containerId: 'abc123', ifName: 'eth0', namespace: 'shop', pod: 'web-1' },
  })
})

test('outside Kubernetes the container is the pod', () => {
  const call = readCniCall({ environment: { ...ADD, CNI_ARGS: '' }, config: CONFIG })
  assert.deepEqual(call.is === 'add' && call.pod, { containerId: 'abc123', ifName: 'eth0', namespace: 'default', pod: 'abc123' })
})

test('DEL needs no namespace: the runtime may have torn it down', () => {
  assert.equal(readCniCall({ environment: { ...ADD, CNI_COMMAND: 'DEL', CNI_NETNS: '' }, config: CONFIG }).is, 'del')
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
  const pod = { containerId: 'one', ifName: 'eth0', namespace: 'shop', pod: 'web-1' }
  assert.match(hostInterfaceName(pod), /^cali[0-9a-f]{11}$/)
  assert.equal(hostInterfaceName(pod), hostInterfaceName({ ...pod, containerId: 'two' }))
  assert.notEqual(hostInterfaceName(pod), hostInterfaceName({ ...pod, ifName: 'net1' }))
  assert.notEqual(addressHandle(pod), addressHandle({ ...pod, containerId: 'two' }))
})
