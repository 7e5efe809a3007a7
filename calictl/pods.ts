/** Pods by the names that people type. */

import { didYouMean } from '@network/base/text/closest.ts'
import { byNature } from '@network/base/text/natural.ts'
import { WORKLOAD_ENDPOINT, type WorkloadEndpoint } from '@network/model/resources/workload-endpoint.ts'
import type { Context } from './context.ts'
import { failure } from './exit.ts'
import { listed, readAll } from './read.ts'

/** All pods, by namespace and name. */
export async function readWorkloads(context: Context): Promise<readonly WorkloadEndpoint[]> {
  const all = await readAll(context, WORKLOAD_ENDPOINT)
  return all.toSorted((a, b) => byNature(podName(a), podName(b)))
}

/** Those called `name` or `namespace/name`; a fault that names the pods when there is none. */
export function named(all: readonly WorkloadEndpoint[], name: string): readonly WorkloadEndpoint[] {
  const found = all.filter(endpoint => endpoint.pod === name || podName(endpoint) === name)
  if (found.length > 0) return found
  throw failure('notFound', { doing: 'find', on: `pod ${name}`, says: 'there is no such pod', mend: knownPods(all, name) })
}

export function podName({ namespace, pod }: WorkloadEndpoint): string {
  return `${namespace}/${pod}`
}

function knownPods(all: readonly WorkloadEndpoint[], name: string): string {
  if (all.length === 0) return 'there are no pods at all'
  const full = all.map(podName)
  const likely = didYouMean(name, name.includes('/') ? full : all.map(({ pod }) => pod))
  return `${likely}${listed('the pods are', full, 'calictl workload get')}`
}
