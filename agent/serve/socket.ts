/** The agent's unix socket: the CNI plugin and calictl speak HTTP with it. */

import { rmSync } from 'node:fs'
import { access, constants, stat } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { dirname } from 'node:path'
import { Fault, reasonOf } from '@network/base/run/fault.ts'
import type { Log } from '@network/base/run/log.ts'
import { makeDirectory } from '@network/base/sys/directory.ts'

/** An answer that is no JSON. */
export class PlainAnswer {
  readonly type: string
  readonly text: string

  constructor(type: string, text: string) {
    this.type = type
    this.text = text
  }
}

/** Answers one request; what it returns is sent as JSON, unless it is plain. */
export type Route = (body: string, signal: AbortSignal) => Promise<unknown>

/** By method and path: `GET /status`. */
export type Routes = Readonly<Record<string, Route>>

const MAX_BODY = 1 << 20
/** unix(7): 108 octets with the zero at the end. */
const LONGEST_PATH = 107

export interface AgentSocket extends AsyncDisposable {
  readonly path: string
}

/** Sees that `path` can be listened on: its directory can be written, and no live agent answers there. Otherwise a Fault. */
export async function claimSocketPath(path: string): Promise<void> {
  if (Buffer.byteLength(path) > LONGEST_PATH)
    throw refused(path, `the path is longer than ${LONGEST_PATH} octets`, 'name a shorter --run-dir')
  const directory = dirname(path)
  try {
    makeDirectory(directory)
    await access(directory, constants.W_OK)
  } catch (cause) {
    throw refused(path, reasonOf(cause))
  }
  if (!(await stat(directory)).isDirectory()) throw refused(path, `${directory} is no directory`)
  if (await answers(path))
    throw new Fault('agent.running', {
      doing: 'listen on',
      on: path,
      says: 'another agent answers there',
      mend: 'stop it, or give this one another --run-dir or --node-name',
    })
}

/** Listens on `path`, mode 0600: whoever may wire pods or see the cluster is root. What a dead agent left there is replaced. */
export async function openAgentSocket(path: string, routes: Routes, log: Log): Promise<AgentSocket> {
  await claimSocketPath(path)
  rmSync(path, { force: true })
  const server = createServer((request, response) => void serve(request, response, routes, log))
  await listen(server, path)
  // One call that cannot be accepted, for want of open files, must not end all that the agent does.
  server.on('error', reason => log.warn('a call could not be accepted', { socket: path, why: reasonOf(reason) }))
  return {
    path,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (cause: Error) => reject(refused(path, reasonOf(cause)))
    server.once('error', fail)
    // The socket is there as soon as listen returns, and nobody else's from the start.
    const usual = process.umask(0o177)
    server.listen(path, () => {
      server.off('error', fail)
      resolve()
    })
    process.umask(usual)
  })
}

function refused(path: string, says: string, mend = 'run as root, or name a --run-dir of yours'): Fault {
  return new Fault('agent.socket', { doing: 'listen on', on: path, says, mend })
}

/** True when an agent listens on the socket. */
export function answers(path: string): Promise<boolean> {
  return new Promise(resolve => {
    const probe = connect(path, () => {
      probe.destroy()
      resolve(true)
    })
    probe.on('error', () => resolve(false))
  })
}

async function serve(request: IncomingMessage, response: ServerResponse, routes: Routes, log: Log): Promise<void> {
  const gone = new AbortController()
  response.on('close', () => gone.abort(new Error('the caller went away')))
  const name = `${request.method} ${request.url}`
  try {
    const route = routes[name]
    if (route === undefined) {
      send(response, 404, { error: `no such thing as ${name}; there are ${Object.keys(routes).join(', ')}` })
      return
    }
    send(response, 200, await route(await bodyOf(request), gone.signal))
  } catch (reason) {
    log.error('request failed', { request: name, why: reasonOf(reason) })
    send(response, 500, { error: reasonOf(reason) })
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    size += chunk.length
    if (size > MAX_BODY)
      throw new Fault('agent.request', { doing: 'read', on: 'a request', says: `it is larger than ${MAX_BODY} octets` })
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function send(response: ServerResponse, status: number, body: unknown): void {
  if (response.destroyed || response.headersSent) return
  const [type, text] = body instanceof PlainAnswer ? [body.type, body.text] : ['application/json', JSON.stringify(body)]
  response.writeHead(status, { 'content-type': type }).end(text)
}
