/** Offers the metrics by TCP, where the agent is told to. */

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Fault, reasonOf } from '@network/base/run/fault.ts'
import type { Log } from '@network/base/run/log.ts'

export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** Anybody may ask: neither descriptors nor the work of answering may grow with how many do. */
const MOST_CONNECTIONS = 64

export interface MetricsServer extends AsyncDisposable {
  readonly port: number
}

/** Listens on all addresses; answers GET /metrics and nothing else, those who ask at the same time with one text. A Fault where the port cannot be had. */
export async function openMetricsServer(port: number, text: () => Promise<string>, log: Log): Promise<MetricsServer> {
  let asked: Promise<string> | undefined
  const shared = () => {
    asked ??= text().finally(() => {
      asked = undefined
    })
    return asked
  }
  const server = createServer((request, response) => {
    if (request.method !== 'GET' || request.url !== '/metrics') {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('there is /metrics\n')
      return
    }
    shared().then(
      body => response.writeHead(200, { 'content-type': METRICS_TYPE }).end(body),
      reason => {
        log.error('metrics could not be told', { why: reasonOf(reason) })
        response.writeHead(500, { 'content-type': 'text/plain' }).end(`${reasonOf(reason)}\n`)
      },
    )
  })
  server.maxConnections = MOST_CONNECTIONS
  await new Promise<void>((resolve, reject) => {
    server.once('error', cause => {
      const act = { doing: 'offer metrics on', on: `port ${port}`, says: reasonOf(cause), mend: 'give another --metrics-port' }
      reject(new Fault('agent.metrics', act, { cause }))
    })
    server.listen(port, resolve)
  })
  // A connection that cannot be taken, for want of descriptors perhaps, must not end the agent.
  server.on('error', reason => log.warn('metrics could not be asked for', { why: reasonOf(reason) }))
  return {
    port: portOf(server.address()) ?? port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

function portOf(address: AddressInfo | string | null): number | undefined {
  return typeof address === 'object' && address !== null ? address.port : undefined
}
