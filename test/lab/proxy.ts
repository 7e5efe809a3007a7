/** A TCP proxy that hurts: drops connections, delays what passes, or goes silent without a word (half-open). */

import { once } from 'node:events'
import { type AddressInfo, createServer, connect as dial, type Socket } from 'node:net'

export type Weather =
  | { readonly is: 'fair' }
  /** Every chunk is late by so many milliseconds, in order. */
  | { readonly is: 'slow'; readonly by: number }
  /** Connections stay open, and nothing passes in either direction; new ones are accepted. */
  | { readonly is: 'silent' }
  /** Connections that are there go on; new ones are accepted, and nothing passes on them, not even later. */
  | { readonly is: 'deaf' }
  /** Connections are reset, new ones refused. */
  | { readonly is: 'down' }

export interface FlakyProxy extends AsyncDisposable {
  /** `127.0.0.1:40001` */
  readonly address: string
  weather: Weather
  /** Resets all connections; new ones pass. */
  drop(): void
  /** How many connections there ever were. */
  readonly connections: number
}

/** Stands before a `host:port`. */
export async function startProxy(target: string): Promise<FlakyProxy> {
  const [host = '', port = ''] = target.split(':')
  const open = new Set<Socket>()
  let weather: Weather = { is: 'fair' }
  let connections = 0
  const drop = () => {
    for (const socket of open) socket.resetAndDestroy()
  }
  const pipe = (from: Socket, to: Socket, isDeaf: boolean) => {
    open.add(from)
    from.setNoDelay()
    from.on('data', chunk => {
      if (isDeaf) return
      if (weather.is === 'fair' || weather.is === 'deaf') to.write(chunk)
      if (weather.is === 'slow') setTimeout(() => void to.write(chunk), weather.by)
    })
    // A silent line hears of no end either.
    from.on('close', () => {
      open.delete(from)
      if (weather.is !== 'silent') to.destroy()
    })
    from.on('error', () => from.destroy())
  }
  const server = createServer(near => {
    if (weather.is === 'down') return void near.resetAndDestroy()
    connections += 1
    const far = dial(Number(port), host)
    const isDeaf = weather.is === 'deaf'
    pipe(near, far, isDeaf)
    pipe(far, near, isDeaf)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return {
    address: `127.0.0.1:${isTcp(address) ? address.port : 0}`,
    get weather() {
      return weather
    },
    set weather(next) {
      weather = next
      if (next.is === 'down') drop()
    },
    get connections() {
      return connections
    },
    drop,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      drop()
      await closed
    },
  }
}

function isTcp(address: string | AddressInfo | null): address is AddressInfo {
  return typeof address === 'object' && address !== null
}
