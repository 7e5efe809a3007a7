/** Hears what the kernel of a node tells of its routes, links and addresses, and has proven that it hears. */
import type { Lab } from '../lab/lab.ts'
import { until } from '../lab/until.ts'
import { must } from './frozen.ts'

export interface KernelNews extends AsyncDisposable {
  /** Lines of `ip monitor` since listening began. */
  heard(): readonly string[]
}

/** For documentation (RFC 5737), and in no table of interest. */
const PROBE = ['192.0.2.0/24', 'table', '4242']

/** Resolves when a change of its own was heard: from then on silence means that nothing changed. */
export async function listenToKernel(lab: Lab, node: string): Promise<KernelNews> {
  const monitor = lab.spawnIn(node, ['ip', '-4', 'monitor', 'route', 'link', 'address'])
  let text = ''
  monitor.stdout.on('data', (chunk: Buffer) => {
    text += chunk
  })
  // Both, each time: of a route that is there already the kernel tells nothing when it is put there again.
  await until(
    async () => {
      await must(lab, node, 'ip', 'route', 'add', 'blackhole', ...PROBE)
      await must(lab, node, 'ip', 'route', 'del', 'blackhole', ...PROBE)
      return text.includes('Deleted blackhole 192.0.2.0/24')
    },
    { clock: lab.clock, what: 'ip monitor to listen' },
  )
  return {
    heard: () => text.split('\n').filter(line => line !== '' && !line.includes('blackhole 192.0.2.0/24')),
    async [Symbol.asyncDispose]() {
      monitor.kill()
      await monitor.ended
    },
  }
}
