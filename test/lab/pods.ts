/** Plays the container runtime: namespaces for pods, and the real CNI plugin run as a runtime runs it. */
import { Fault } from '@network/base/run/fault.ts'
import { socketOf } from './agents.ts'
import { execIn, type Outcome } from './command.ts'
import { CNI_PLUGIN, type CniPlugin, NETNS_DIR } from './paths.ts'

export interface CniCall {
  readonly command: string
  readonly node: string
  readonly pod: string
  /** Of which the pod's namespace has its name; called as the pod unless told. */
  readonly container?: string
  /** Of the network configuration, besides or instead of the usual ones. */
  readonly fields?: Readonly<Record<string, unknown>>
  /** The launcher unless told. */
  readonly plugin?: CniPlugin
}

/** The plugin's raw answer to a call: what a container runtime sees. */
export function callCni({ command, node, pod, container = pod, fields = {}, plugin = [CNI_PLUGIN] }: CniCall): Promise<Outcome> {
  const config = { cniVersion: '1.0.0', name: 'cali', type: 'cali', agent: socketOf(node), ...fields }
  const env = {
    CNI_COMMAND: command,
    CNI_CONTAINERID: container,
    CNI_NETNS: `${NETNS_DIR}/${container}`,
    CNI_IFNAME: 'eth0',
    CNI_ARGS: `K8S_POD_NAMESPACE=default;K8S_POD_NAME=${pod}`,
    CNI_PATH: CNI_PLUGIN.slice(0, CNI_PLUGIN.lastIndexOf('/')),
  }
  return execIn(node, plugin, { input: JSON.stringify(config), env, timeoutMs: 120_000 })
}

/** The address in the result of an ADD, without its length; any other answer is a Fault with the plugin's sentence. */
export async function wirePod(node: string, pod: string): Promise<string> {
  const answer = await callCni({ command: 'ADD', node, pod })
  const result = answer.exitCode === 0 ? objectIn(answer.stdout) : {}
  const [first] = Array.isArray(result['ips']) ? result['ips'] : []
  if (typeof first?.address !== 'string') throw refusal('wire', pod, answer)
  return first.address.replace(/\/.*/, '')
}

export async function unwirePod(node: string, pod: string): Promise<void> {
  const answer = await callCni({ command: 'DEL', node, pod })
  if (answer.exitCode !== 0) throw refusal('unwire', pod, answer)
}

function refusal(doing: string, pod: string, { stdout, stderr, exitCode }: Outcome): Fault {
  const { msg, details } = objectIn(stdout)
  const says =
    typeof msg === 'string' ? `${msg}: ${details}` : `the plugin answered "${stdout}${stderr}" and exit status ${exitCode}`
  return new Fault('lab.cni', { doing, on: `pod ${pod}`, says })
}

function objectIn(text: string): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(text)
    return typeof parsed === 'object' && parsed !== null ? { ...parsed } : {}
  } catch {
    return {}
  }
}
