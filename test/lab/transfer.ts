/** Sends octets over TCP from one place of the lab to another, and counts what arrives. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { inNamespace } from '@network/base/sys/namespace.ts'
import { namespaceOf } from './command.ts'
import type { Lab } from './lab.ts'

export interface Transfer {
  readonly received: number
  /** What the sender said of errors; empty when it had none. */
  readonly complaint: string
}

/** The shell sends; the server lives in this process, born in the receiver's namespace. */
export async function transfer(lab: Lab, from: string, to: { name: string; address: string }, octets: number): Promise<Transfer> {
  let received = 0
  const server = createServer(socket => {
    socket.on('data', chunk => {
      received += chunk.length
    })
    socket.on('error', () => socket.destroy())
  })
  // Without a host the socket is made at once, while we are still there.
  inNamespace(namespaceOf(to.name), () => {
    server.listen(0)
  })
  try {
    const port = await portOf(server)
    const drained = once(server, 'connection').then(([socket]) => once(socket, 'close'))
    const script = `head -c ${octets} /dev/zero >/dev/tcp/${to.address}/${port}`
    const { stderr, exitCode } = await lab.exec(from, ['timeout', '20', 'bash', '-c', script])
    if (exitCode === 0) await drained
    return { received, complaint: exitCode === 0 ? '' : `${stderr} (exit status ${exitCode})` }
  } finally {
    server.close()
  }
}

async function portOf(server: Server): Promise<number> {
  if (!server.listening) await once(server, 'listening')
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}
