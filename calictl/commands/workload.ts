/** `calictl workload get`: pods, their addresses, and whether their interface is there. */

import { formatIpv4 } from '@network/base/net/ipv4.ts'
import { API_VERSION } from '@network/model/resources/kind.ts'
import { WORKLOAD_ENDPOINT, type WorkloadEndpoint } from '@network/model/resources/workload-endpoint.ts'
import type { Command } from 'commander'
import type { Answer } from '../agents.ts'
import { type Act, type Context, show } from '../context.ts'
import type { ExitCode } from '../exit.ts'
import { examples } from '../help.ts'
import { named, podName, readWorkloads } from '../pods.ts'
import { table } from '../render/table.ts'
import { completeness, surveyAgents } from '../survey.ts'
import { type WatchOptions, watched } from './watching.ts'

export function addWorkload(program: Command, act: Act): void {
  const workload = program
    .command('workload')
    .description('pods and their interfaces')
    .addHelpText('after', examples('calictl workload get'))
  workload
    .command('get')
    .alias('list')
    .description('show pods, where they run, and whether their interface is there')
    .argument('[pod]', 'only this pod: name, or namespace/name')
    .addHelpText(
      'after',
      examples('calictl workload get', 'calictl workload get -o wide', 'calictl workload get default/web-1 -o yaml'),
    )
    .option('-w, --watch', 'go on, and show what changes')
    .action((pod: string | undefined, options: WatchOptions) =>
      act(context => watched(context, options, seen => getWorkloads(seen, pod))),
    )
}

async function getWorkloads(context: Context, pod: string | undefined): Promise<ExitCode> {
  const all = await readWorkloads(context)
  const wanted = pod === undefined ? all : named(all, pod)
  const survey = await surveyAgents(context)
  const seen = wanted.map(endpoint => ({ endpoint, told: toldOf(endpoint, survey.answers) }))
  const items = seen.map(({ endpoint, told }) => ({ ...WORKLOAD_ENDPOINT.print(endpoint), status: told }))
  const document =
    pod !== undefined && items.length === 1 ? items[0] : { apiVersion: API_VERSION, kind: 'WorkloadEndpointList', items }
  if (seen.length === 0)
    await show(context, {
      document,
      text: 'There are no pods; the CNI plugin makes one for each that the container runtime starts.',
    })
  else
    await show(context, {
      document,
      text: table(HEAD, seen.map(cellsOf)),
      wide: () =>
        table(
          [...HEAD, ...WIDE_HEAD],
          seen.map(one => [...cellsOf(one), ...wideCellsOf(one)]),
        ),
    })
  for (const { endpoint, told } of seen)
    if (told.interfacePresent === false)
      context.err(
        `warning: ${podName(endpoint)}: ${endpoint.interfaceName} is missing on node ${endpoint.node}; delete the pod, so that its runtime makes it anew`,
      )
  return completeness(survey)
}

/** What the agent of the pod's node tells; all null where it cannot be asked. */
interface Told {
  readonly interfacePresent: boolean | null
  readonly interfaceIndex: number | null
  readonly podInterfaceIndex: number | null
}

interface Seen {
  readonly endpoint: WorkloadEndpoint
  readonly told: Told
}

function toldOf(endpoint: WorkloadEndpoint, answers: readonly Answer[]): Told {
  const answer = answers.find(({ node }) => node === endpoint.node)
  const seen = answer?.status.workloads.find(({ interfaceName }) => interfaceName === endpoint.interfaceName)
  return {
    interfacePresent: seen?.interfacePresent ?? null,
    interfaceIndex: seen?.interfaceIndex ?? null,
    podInterfaceIndex: seen?.podInterfaceIndex ?? null,
  }
}

const HEAD = ['NAMESPACE', 'POD', 'NODE', 'ADDRESS', 'INTERFACE', 'PRESENT']

function cellsOf({ endpoint, told }: Seen): readonly string[] {
  const { namespace, pod, node, addresses, interfaceName } = endpoint
  return [namespace, pod, node, addresses.map(formatIpv4).join(','), interfaceName, wordFor(told.interfacePresent)]
}

const WIDE_HEAD = ['IFINDEX', 'IN POD', 'POD IFINDEX', 'MAC', 'NETWORK', 'CONTAINER']

function wideCellsOf({ endpoint, told }: Seen): readonly string[] {
  const { endpoint: inside, mac, network, containerId } = endpoint
  return [numberCell(told.interfaceIndex), inside, numberCell(told.podInterfaceIndex), mac, network ?? '', containerId]
}

function numberCell(value: number | null): string {
  return value === null ? '' : `${value}`
}

function wordFor(present: boolean | null): string {
  return present === null ? 'unknown' : present ? 'yes' : 'no'
}
