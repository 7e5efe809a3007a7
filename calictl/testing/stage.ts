/** A cluster to try commands on: a real embedded store and sockets of agents that say what a test gives them, all in one directory. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Clock, systemClock, systemRandom } from '@network/base/time/clock.ts'
import { openDatastore } from '@network/datastore/open.ts'
import type { Datastore } from '@network/datastore/port.ts'
import type { AgentStatus, BgpTable } from '@network/model/status.ts'
import { agentsIn, type HeardOf } from '../agents.ts'
import type { ExitCode } from '../exit.ts'
import { run } from '../program.ts'
import type { World } from '../world.ts'

export interface Ended {
  readonly exit: ExitCode
  readonly out: string
  readonly err: string
}

export interface Stage extends AsyncDisposable {
  readonly directory: string
  readonly url: string
  readonly store: Datastore
  readonly options: { readonly signal: AbortSignal }
  /** Runs a command line, given whole or by its words; `but` replaces parts of its world. */
  calictl(line: string | readonly string[], but?: Partial<World>): Promise<Ended>
  /** Starts an agent; it is asked anew for every answer. */
  agent(node: string, status: () => AgentStatus | string, more?: AgentAnswers): Promise<void>
  /** Leaves a file where an agent once listened. */
  deadAgent(node: string): Promise<void>
}

/** What an agent is asked besides its status; what is left out it does not know. */
export interface AgentAnswers {
  readonly table?: () => BgpTable
  readonly heardOf?: () => HeardOf
}

export async function openStage(clock: Clock = systemClock): Promise<Stage> {
  const directory = await mkdtemp(join(tmpdir(), 'calictl-'))
  const url = `sqlite:${directory}/cali.db`
  const open: World['openStore'] = (at, how) => openDatastore(at, { clock: systemClock, random: systemRandom, ...how })
  const store = await open(url, { mustExist: false })
  const servers: Server[] = []
  const signal = new AbortController().signal
  return {
    directory,
    url,
    store,
    options: { signal },
    async calictl(line, but = {}) {
      const out: string[] = []
      const err: string[] = []
      const exit = await run(typeof line === 'string' ? line.split(' ').filter(word => word !== '') : line, {
        out: text => out.push(text),
        err: text => err.push(text),
        env: { CALI_DATASTORE: url },
        readText: async () => `runDir: ${directory}`,
        openStore: open,
        agentsIn: runDir => agentsIn(runDir, systemClock),
        clock,
        signal,
        ...but,
      })
      return { exit, out: out.join('\n'), err: err.join('\n') }
    },
    async agent(node, status, { table, heardOf } = {}) {
      const answers = [['/status', status] as const, ['/bgp', table] as const, ['/heard-of', heardOf] as const]
      const given = answers.flatMap(([path, answer]) => (answer === undefined ? [] : [[path, answer] as const]))
      servers.push(await serve(join(directory, `${node}.sock`), Object.fromEntries(given)))
    },
    async deadAgent(node) {
      await writeFile(join(directory, `${node}.sock`), '')
    },
    async [Symbol.asyncDispose]() {
      for (const server of servers) {
        server.closeAllConnections()
        await new Promise(resolve => server.close(resolve))
      }
      await store[Symbol.asyncDispose]()
      await rm(directory, { recursive: true })
    },
  }
}

function serve(path: string, answers: Readonly<Record<string, () => unknown>>): Promise<Server> {
  const server = createServer((request, response) => {
    const answer = answers[request.url ?? '']?.()
    const body = typeof answer === 'string' ? answer : JSON.stringify(answer)
    response.writeHead(answer === undefined ? 404 : 200).end(body)
  })
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, () => resolve(server))
  })
}
