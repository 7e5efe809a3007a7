/** Reads all documents of a kind; those that cannot be read are named on stderr and count as absent, as they do for agents. */

import { type Junk, listOf } from '@network/datastore/records.ts'
import type { Kind } from '@network/model/resources/kind.ts'
import type { Context } from './context.ts'

export async function readAll<T>(context: Context, kind: Kind<T>): Promise<readonly T[]> {
  const { read, junk } = await listOf(await context.store(), kind, { signal: context.signal })
  reportJunk(context, junk)
  return read.map(({ value }) => value)
}

export function reportJunk({ err }: Context, junk: readonly Junk[]): void {
  for (const { key, problems } of junk) {
    const says = problems.map(({ at, says }) => (at === '' ? says : `${at} ${says}`)).join('; ')
    err(`warning: ${key} cannot be read and counts as absent: ${says}`)
  }
}

/** Names as people sort them: `node-2` before `node-10`. */
export function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name.localeCompare(b.name, 'en', { numeric: true })
}

const NAMED_AT_MOST = 10

/** `the nodes are a, b`, or the first of very many and the command that lists them all. */
export function listed(words: string, names: readonly string[], command: string): string {
  if (names.length <= NAMED_AT_MOST) return `${words} ${names.join(', ')}`
  return `${command} lists all ${names.length}: ${names.slice(0, NAMED_AT_MOST).join(', ')} …`
}
