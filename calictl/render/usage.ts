/** How full pools are, in cells of tables. */

import type { PoolUsage } from '@network/datastore/ipam/usage.ts'

export function blocksCell({ blocks, blocksOfAll }: PoolUsage): string {
  return `${blocks} of ${blocksOfAll}`
}

export function usedCell({ used, size }: PoolUsage): string {
  return `${used} (${percent(used, size)})`
}

/** Nobody gets an address of a disabled pool, however many are left. */
export function freeCell({ free, disabled }: PoolUsage): string {
  return disabled ? '' : `${free}`
}

function percent(part: number, whole: number): string {
  const value = (100 * part) / whole
  return value > 0 && value < 1 ? '<1%' : `${Math.floor(value)}%`
}
