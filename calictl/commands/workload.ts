/** `calictl workload get`: pods, their addresses, and whether their interface is there. */

import { formatIpv4 } from '@network/base/net/ipv4.ts'
import { API_VERSION } from '@network/model/resources/kind.ts'
import { WORKLOAD_ENDPOINT, type WorkloadEndpoint } from '@network/model/resources/workload-endpoint.ts'
import type { Command } from 'commander'
import type { Answer } from '../agents.ts'
import { type Act, type Context, show } from '../context.ts'
import { EXIT, type ExitCode } from '../exit.ts'
import { examples } from '../help.ts'
import { named, podName, readWorkloads } from '../pods.ts'
import { table } from '../render/table.ts'
import { surveyAgents } from '../survey.ts'

export function addWorkload(program: Command, act: Act): void {
  const workload = program
    .command('workload')
    .description('pods and their interfaces')
    .addHelpText('after', examples('calictl workload get'))
  workload
    .command('get')
    .description('show pods, where they run, and whether their interface is there')
    .argument('[pod]', 'only this pod: name, or namespace/name')
    .addHelpText('after', examples('calictl workload get', 'calictl workload get default/web-1 -o yaml'))
    .action((pod: string | undefined) => act(context => getWorkloads(context, pod)))
}

export async function getWorkloads(context: Context, pod: string | undefined): Promise<ExitCode> {
  const all = await readWorkloads(context)
  const wanted = pod === undefined ? all : named(all, pod)
  const { answers } = await surveyAgents(context)
  const seen = wanted.map(endpoint => ({ endpoint, present: presence(endpoint, answers) }))
  const items = seen.map(({ endpoint, present }) => ({
    ...WORKLOAD_ENDPOINT.print(endpoint),
    status: { interfacePresent: present },
  }))
  const document =
    pod !== undefined && items.length === 1 ? items[0] : { apiVersion: API_VERSION, kind: 'WorkloadEndpointList', items }
  const rows = seen.map(({ endpoint, present }) => [
    endpoint.namespace,
    endpoint.pod,
    endpoint.node,
    endpoint.addresses.map(formatIpv4).join(','),
    endpoint.interfaceName,
    wordFor(present),
  ])
  const text =
    rows.length > 0
      ? table(['NAMESPACE', 'POD', 'NODE', 'ADDRESS', 'INTERFACE', 'PRESENT'], rows)
      : 'There are no pods; the CNI plugin makes one for each that the container runtime starts.'
  await show(context, { document, text })
  for (const { endpoint, present } of seen)
    if (present === false)
      context.err(
        `warning: ${podName(endpoint)}: ${endpoint.interfaceName} is missing on node ${endpoint.node}; delete the pod, so that its runtime makes it anew`,
      )
  return EXIT.ok
}

/** Null where the agent of the pod's node cannot tell. */
function presence(endpoint: WorkloadEndpoint, answers: readonly Answer[]): boolean | null {
  const answer = answers.find(({ node }) => node === endpoint.node)
  const seen = answer?.status.workloads.find(({ interfaceName }) => interfaceName === endpoint.interfaceName)
  return seen?.interfacePresent ?? null
}

function wordFor(present: boolean | null): string {
  return present === null ? 'unknown' : present ? 'yes' : 'no'
}
