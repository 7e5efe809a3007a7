/** A lab whose agents use an etcd on the router, reached by all nodes. */
import { everyAgent, meshIsUp } from '../lab/agent-status.ts'
import { type Etcd, startEtcd } from '../lab/etcd.ts'
import { createLab, type Lab } from '../lab/lab.ts'
import { ROUTER, type Topology } from '../lab/topology.ts'

export interface EtcdLab extends AsyncDisposable {
  readonly lab: Lab
  readonly etcd: Etcd
}

/** Resolves when the whole mesh is up. */
export async function createEtcdLab(racks: Topology): Promise<EtcdLab> {
  const started: Etcd[] = []
  const lab = await createLab(racks, {
    pool: { cidr: '10.244.0.0/16', ipip: 'Never' },
    datastore: async () => {
      const etcd = await startEtcd({ at: { where: ROUTER, address: racks.racks[0]?.gateway ?? '' } })
      started.push(etcd)
      return etcd.url('/lab')
    },
  })
  const [etcd] = started
  if (etcd === undefined) throw new Error('the lab did not ask for its datastore')
  await everyAgent(lab, 'the whole mesh', meshIsUp(lab))
  return {
    lab,
    etcd,
    async [Symbol.asyncDispose]() {
      await lab[Symbol.asyncDispose]()
      await etcd[Symbol.asyncDispose]()
    },
  }
}
