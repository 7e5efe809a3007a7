/** The blocks of this node out of everybody's, which change with every pod and are nothing that plans are made from. */

import { IPAM_BLOCK, type IpamBlock } from '@network/model/resources/ipam-block.ts'
import { isRecord, keyPrefixOf } from '@network/model/resources/kind.ts'
import type { Change } from '@network/model/snapshot.ts'

const PREFIX = keyPrefixOf(IPAM_BLOCK.plural)

export class OwnBlocks {
  readonly #node: string
  /** By datastore key, not parsed before somebody asks. */
  readonly #documents = new Map<string, unknown>()

  constructor(node: string) {
    this.#node = node
  }

  /** Those that can be read. */
  get all(): readonly IpamBlock[] {
    return [...this.#documents].flatMap(([key, document]) => {
      const read = IPAM_BLOCK.parseStored(document)
      return read.ok && IPAM_BLOCK.keyOf(read.value) === key ? [read.value] : []
    })
  }

  apply({ key, document }: Change): void {
    if (!key.startsWith(PREFIX)) return
    if (nodeOf(document) === this.#node) this.#documents.set(key, document)
    else this.#documents.delete(key)
  }
}

function nodeOf(document: unknown): unknown {
  return isRecord(document) && isRecord(document['spec']) ? document['spec']['node'] : undefined
}
