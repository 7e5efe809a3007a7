/** The daemon's unix socket: one question or order a connection, as HTTP with JSON. */
import { createWriteStream, rmSync } from 'node:fs'
import { chmod, mkdir } from 'node:fs/promises'
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { dirname } from 'node:path'
import { Readable } from 'node:stream'
import { Fault, reasonOf } from '@network/base/run/fault.ts'
import { tableDump } from '../mrt/table-dump.ts'
import type { Speaker } from '../speaker.ts'
import { type Answer, answer, toQuestion } from './answers.ts'
import { drain, obey, toOrder } from './orders.ts'

const TABLE = '/table.mrt'

/** Listens on `path`, mode 0600; a live daemon on the same path is a Fault. */
export async function openControl(path: string, speaker: Speaker): Promise<AsyncDisposable> {
  await mkdir(dirname(path), { recursive: true })
  if (await isAnswered(path))
    throw new Fault('bgpd.control', {
      doing: 'listen on',
      on: path,
      says: 'another cali-bgpd answers there',
      mend: 'stop it, or name another path under "control"',
    })
  rmSync(path, { force: true })
  const server = createServer((asked, response) => reply(asked, response, speaker))
  await listen(server, path)
  await chmod(path, 0o600)
  return {
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

/** Asks the daemon behind `path`; a Fault says why there is no answer. */
export function ask(path: string, question: string, about: string | undefined): Promise<unknown> {
  return call(path, 'GET', `/${question}${about === undefined ? '' : `?${new URLSearchParams({ about })}`}`)
}

/** Has the daemon behind `path` leave after so many seconds. */
export function orderDrain(path: string, delay: string, words: string): Promise<unknown> {
  return call(path, 'POST', `/drain?${new URLSearchParams({ delay, words })}`)
}

/** Has the daemon behind `path` clear sessions: `how` is in, out, `in,out` or hard. */
export function order(path: string, whom: string, how: string, words: string): Promise<unknown> {
  return call(path, 'POST', `/clear?${new URLSearchParams({ whom, how, words })}`)
}

/** Writes everything that the daemon behind `path` knows into a file, as MRT; gives its size in octets. */
export function fetchTable(path: string, file: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath: path, path: TABLE }, response => {
      const written = createWriteStream(file)
      const refuse = (cause: Error) =>
        reject(new Fault('bgpd.dump', { doing: 'write', on: file, says: cause.message }, { cause }))
      written.on('error', refuse)
      response.on('error', refuse)
      written.on('finish', () => resolve(written.bytesWritten))
      response.pipe(written)
    })
    asked.on('error', cause => reject(unreachable(path, cause)))
    asked.end()
  })
}

function call(path: string, method: 'GET' | 'POST', url: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath: path, path: url, method }, response => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => resolve(JSON.parse(Buffer.concat(chunks).toString('utf8'))))
      response.on('error', cause => reject(unreachable(path, cause)))
    })
    asked.on('error', cause => reject(unreachable(path, cause)))
    asked.end()
  })
}

function unreachable(path: string, cause: unknown): Fault {
  const detail = { doing: 'ask', on: path, says: reasonOf(cause), mend: 'is cali-bgpd running? --socket names another path' }
  return new Fault('bgpd.unreachable', detail, { cause })
}

function reply({ url = '/', method }: IncomingMessage, response: ServerResponse, speaker: Speaker): void {
  const { pathname, searchParams } = URL.parse(url, 'http://bgpd') ?? new URL('http://bgpd')
  if (pathname === TABLE && method === 'GET') {
    dump(speaker, response)
    return
  }
  const said = method === 'POST' ? ordered(pathname, searchParams, speaker) : asked(pathname, searchParams, speaker)
  response.writeHead(said.is === 'unknown' ? 404 : 200, { 'content-type': 'application/json' }).end(JSON.stringify(said))
}

/** In pieces: a million prefixes are a hundred megabytes. */
function dump(speaker: Speaker, response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/octet-stream' })
  Readable.from(tableDump(speaker, new Date()), { objectMode: false }).pipe(response)
}

function asked(pathname: string, given: URLSearchParams, speaker: Speaker): Answer {
  const question = toQuestion(pathname.slice(1), given.get('about') ?? undefined)
  return typeof question === 'string' ? { is: 'unknown', says: question } : answer(question, speaker)
}

/** What changes something is never the answer to a mere question. */
function ordered(pathname: string, given: URLSearchParams, speaker: Speaker): Answer {
  if (pathname === '/drain') return drain(given.get('delay') ?? '', given.get('words') ?? '', speaker)
  if (pathname !== '/clear')
    return { is: 'unknown', says: `nobody knows the order "${pathname.slice(1)}"; there are clear and drain` }
  const wanted = toOrder(given.get('whom') ?? '', given.get('how') ?? '', given.get('words') ?? '')
  return typeof wanted === 'string' ? { is: 'unknown', says: wanted } : obey(wanted, speaker)
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', cause => {
      const detail = { doing: 'listen on', on: path, says: reasonOf(cause), mend: 'name a path of yours under "control"' }
      reject(new Fault('bgpd.control', detail, { cause }))
    })
    server.listen(path, resolve)
  })
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise(resolve => {
    const probe = connect(path, () => {
      probe.destroy()
      resolve(true)
    })
    probe.on('error', () => resolve(false))
  })
}
