/** Settings in memory: the fake of /proc/sys. */

import type { Outcome } from '../table.ts'
import type { Settings } from '../tables/sysctls.ts'

export class MemorySettings implements Settings {
  readonly values: Map<string, string>
  /** Paths that refuse to be written. */
  readonly refusing = new Set<string>()

  constructor(values: Readonly<Record<string, string>> = {}) {
    this.values = new Map(Object.entries(values))
  }

  read(path: string): string | undefined {
    return this.values.get(path)
  }

  /** Turning ip_forward turns every interface's forwarding, and what goes with it, as the kernel does. */
  write(path: string, value: string): Outcome {
    if (this.refusing.has(path) || !this.values.has(path)) return { is: 'failed', says: `cannot write ${value} to ${path}` }
    this.values.set(path, value)
    if (path !== 'net/ipv4/ip_forward') return { is: 'done' }
    for (const other of this.values.keys()) if (/^net\/ipv4\/conf\/[^/]+\/forwarding$/.test(other)) this.values.set(other, value)
    this.values.set('net/ipv4/conf/all/accept_redirects', value === '1' ? '0' : '1')
    return { is: 'done' }
  }

  below(path: string): readonly string[] {
    const depth = path.split('/').length + 1
    const inside = [...this.values.keys()].filter(key => key.startsWith(`${path}/`))
    return [...new Set(inside.map(key => key.split('/').slice(0, depth).join('/')))]
  }
}
