/** Writes resources into a lab's datastore as their users write them, in YAML. */
import assert from 'node:assert/strict'
import { silentLog } from '@network/base/run/log.ts'
import { systemClock, systemRandom } from '@network/base/time/clock.ts'
import { openDatastore } from '@network/datastore/open.ts'
import type { Datastore } from '@network/datastore/port.ts'
import { loadDocuments } from '@network/model/documents/load.ts'
import type { Document } from '@network/model/resources/kind.ts'
import { nodeKey } from '@network/model/resources/node.ts'
import { ENVIRONMENT } from '../lab/command.ts'

const options = { signal: new AbortController().signal }

/** Creates what is not there and replaces what is. */
export async function apply(yaml: string): Promise<void> {
  await using store = await open()
  for (const loaded of loadDocuments(yaml)) {
    assert.ok(loaded.is === 'read', JSON.stringify(loaded))
    await put(store, loaded.key, () => loaded.document)
  }
}

export async function remove(key: string): Promise<void> {
  await using store = await open()
  const entry = await store.get(key, options)
  if (entry !== undefined) await store.delete(key, entry.revision, options)
}

/** The document under a key; undefined when there is none. */
export async function documentAt(key: string): Promise<unknown> {
  await using store = await open()
  return (await store.get(key, options))?.document
}

/** Changes a node's labels, and what it is in BGP. */
export async function setNode(
  name: string,
  { labels, bgp = {} }: { readonly labels?: Readonly<Record<string, string>>; readonly bgp?: Readonly<Record<string, unknown>> },
): Promise<void> {
  await using store = await open()
  await put(store, nodeKey(name), former => {
    assert.ok(former !== undefined, `node ${name}`)
    const { metadata, spec } = former
    const had = typeof spec['bgp'] === 'object' ? spec['bgp'] : {}
    return {
      ...former,
      metadata: { ...metadata, labels: { ...metadata.labels, ...labels } },
      spec: { ...spec, bgp: { ...had, ...bgp } },
    }
  })
}

async function put(store: Datastore, key: string, change: (former: Document | undefined) => Document): Promise<void> {
  for (;;) {
    const entry = await store.get(key, options)
    const document = change(entry === undefined ? undefined : documentOf(entry.document))
    const written =
      entry === undefined
        ? await store.create(key, document, options)
        : await store.update(key, document, entry.revision, options)
    if (written.is === 'written') return
  }
}

function documentOf(stored: unknown): Document | undefined {
  const [loaded] = loadDocuments(JSON.stringify(stored))
  assert.ok(loaded?.is === 'read', JSON.stringify(loaded))
  return loaded.document
}

function open(): Promise<Datastore> {
  return openDatastore(ENVIRONMENT.CALI_DATASTORE, { clock: systemClock, random: systemRandom, log: silentLog })
}
