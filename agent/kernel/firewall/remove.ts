/** Takes away all that the firewall ever put into the kernel: our table, and our rules in other people's chains. */

import { mendingCommands, nftChains, nftHeadings } from './foreign-nft.ts'
import { type Legacy, legacyRemoval, systemLegacy } from './legacy.ts'
import { type Nft, systemNft } from './nft.ts'
import { FAMILIES, type Family, TABLE_NAME, tableNamed } from './ruleset.ts'
import { deletion } from './transaction.ts'

export interface Removal {
  /** What was there and is gone. */
  readonly removed: readonly string[]
  /** What could not be removed, one sentence each. */
  readonly problems: readonly string[]
}

/** Removes everything that carries our mark in this network namespace; done twice, it finds nothing. The agent must not run. */
export async function removeFirewall(nft: Nft = systemNft, legacy: Legacy = systemLegacy): Promise<Removal> {
  const parts = [await removeAccepts(nft), await removeLegacyAccepts(legacy), ...(await removeTables(nft))]
  return { removed: parts.flatMap(({ removed }) => removed), problems: parts.flatMap(({ problems }) => problems) }
}

async function removeTables(nft: Nft): Promise<Removal[]> {
  const there: Family[] = []
  for (const family of FAMILIES) {
    const listed = await nft.list(['table', family, TABLE_NAME])
    if (listed.is === 'done' || listed.is === 'garbled') there.push(family)
  }
  if (there.length === 0) return []
  const answer = await nft.commit(deletion())
  const tables = there.map(tableNamed)
  if (answer.is === 'refused') return [{ removed: [], problems: [`${tables.join(', ')}: ${answer.says}`] }]
  return [{ removed: tables, problems: [] }]
}

async function removeAccepts(nft: Nft): Promise<Removal> {
  const removed: string[] = []
  const problems: string[] = []
  for (const chain of await nftChains(nft, (await nftHeadings(nft)) ?? [], [])) {
    const remove = chain.rules.filter(({ ours }) => ours !== 'no').map(({ handle }) => handle)
    if (remove.length === 0) continue
    const answer = await nft.commit(mendingCommands(chain, { insert: false, remove }))
    if (answer.is === 'refused') problems.push(`accept rule in nft chain ${chain.name}: ${answer.says}`)
    else removed.push(`accept rule in nft chain ${chain.name}`)
  }
  return { removed, problems }
}

async function removeLegacyAccepts(legacy: Legacy): Promise<Removal> {
  const listed = legacy.inUse('filter') ? await legacy.iptables(['-S']) : undefined
  if (listed?.is !== 'done') return { removed: [], problems: [] }
  const removed: string[] = []
  const problems: string[] = []
  for (const argv of legacyRemoval(listed.value)) {
    const answer = await legacy.iptables(argv)
    if (answer.is === 'refused') problems.push(`accept rule in iptables-legacy chain ${argv[1]}: ${answer.says}`)
    else removed.push(`accept rule in iptables-legacy chain ${argv[1]}`)
  }
  return { removed, problems }
}
