/** Pods by the names that people type. */

import { WORKLOAD_ENDPOINT, type WorkloadEndpoint } from '@network/model/resources/workload-endpoint.ts'
import type { Context } from './context.ts'
import { failure } from './exit.ts'
import { readAll } from './read.ts'

/** All pods, by namespace and name. */
export async function readWorkloads(context: Context): Promise<readonly WorkloadEndpoint[]> {
  const all = await readAll(context, WORKLOAD_ENDPOINT)
  return all.toSorted((a, b) => podName(a).localeCompare(podName(b), 'en', { numeric: true }))
}

/** Those called `name` or `namespace/name`; a fault that names the pods when there is none. */
export function named(all: readonly WorkloadEndpoint[], name: string): readonly WorkloadEndpoint[] {
  const found = all.filter(endpoint => endpoint.pod === name || podName(endpoint) === name)
  if (found.length > 0) return found
  throw failure('notFound', { doing: 'find', on: `pod ${name}`, says: 'there is no such pod', mend: knownPods(all) })
}

export function podName({ namespace, pod }: WorkloadEndpoint): string {
  return `${namespace}/${pod}`
}

const NAMED_AT_MOST = 10

function knownPods(all: readonly WorkloadEndpoint[]): string {
  if (all.length === 0) return 'there are no pods at all'
  const names = all.slice(0, NAMED_AT_MOST).map(podName).join(', ')
  return all.length > NAMED_AT_MOST ? `calictl workload get lists all ${all.length}: ${names} …` : `the pods are ${names}`
}
