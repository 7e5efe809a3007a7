/** `calictl ippool delete`: removes a pool that nobody uses. */

import { deletePool, type PoolDeleted } from '@network/datastore/pools.ts'
import { IP_POOL } from '@network/model/resources/ip-pool.ts'
import { type Context, show } from '../context.ts'
import { EXIT, type ExitCode, failure } from '../exit.ts'
import { NOTHING_CHANGED, noSuchPool } from '../pools.ts'
import { byName, readAll } from '../read.ts'

export async function removePool(context: Context, name: string): Promise<ExitCode> {
  const deleted = await deletePool(await context.store(), name, { signal: context.signal })
  switch (deleted.is) {
    case 'absent':
      throw noSuchPool('delete', name, (await readAll(context, IP_POOL)).toSorted(byName))
    case 'in-use':
      throw inUse(name, deleted)
    case 'deleted':
      await show(context, {
        document: { kind: 'IPPoolDeletion', pool: IP_POOL.print(deleted.pool) },
        text: `pool ${name} deleted`,
      })
      return EXIT.ok
    default:
      return deleted satisfies never
  }
}

function inUse(name: string, { addresses, nodes }: Extract<PoolDeleted, { is: 'in-use' }>) {
  const are = addresses === 1 ? '1 address is' : `${addresses} addresses are`
  return failure('refused', {
    doing: 'delete',
    on: `pool ${name}`,
    says: `${are} in use on ${nodes.join(', ')}`,
    mend: `delete their pods first (calictl ipam show --blocks -o wide lists them); ${NOTHING_CHANGED}`,
  })
}
