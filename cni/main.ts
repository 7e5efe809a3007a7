/** The CNI plugin: hands its call to the agent of this node and prints the answer. No credentials, no kernel, no datastore. */

import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { CNI_ERROR, type CniReply, type CniRequest, cniFailure, SUPPORTED } from '@network/model/cni.ts'

/** Longer than the agent's own deadline for a pod, shorter than the two minutes of the kubelet. */
const DEADLINE_MS = 90_000
const DEFAULT_AGENT = '/run/cali/agent.sock'

const reply = await call()
if (reply.body !== null) process.stdout.write(`${JSON.stringify(reply.body)}\n`)
process.exitCode = reply.exitCode

async function call(): Promise<CniReply> {
  const environment = Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      name.startsWith('CNI_') && value !== undefined ? [[name, value]] : [],
    ),
  )
  // Needs no agent: a runtime asks for versions before anything runs.
  if (environment['CNI_COMMAND'] === 'VERSION') return { exitCode: 0, body: SUPPORTED }
  if (environment['CNI_COMMAND'] === undefined)
    return cniFailure(
      '1.0.0',
      CNI_ERROR.invalidEnvironment,
      'CNI_COMMAND is not set',
      'this is a CNI plugin: a container runtime calls it',
    )
  const config = readFileSync(0, 'utf8')
  const { cniVersion, agent } = hintsOf(config)
  return ask(agent, { environment, config }).catch((reason: unknown) =>
    cniFailure(
      cniVersion,
      CNI_ERROR.tryAgainLater,
      `the agent of this node does not answer on ${agent}`,
      `${reason instanceof Error ? reason.message : String(reason)}; see that cali-agent runs, and that "agent" in the network configuration names its socket`,
    ),
  )
}

/** Only what is needed to reach the agent; the agent itself judges the configuration. */
function hintsOf(config: string): { cniVersion: string; agent: string } {
  try {
    const { cniVersion, agent } = JSON.parse(config)
    return {
      cniVersion: typeof cniVersion === 'string' ? cniVersion : '1.0.0',
      agent: typeof agent === 'string' ? agent : DEFAULT_AGENT,
    }
  } catch {
    return { cniVersion: '1.0.0', agent: DEFAULT_AGENT }
  }
}

function ask(agent: string, call: CniRequest): Promise<CniReply> {
  return new Promise((resolve, reject) => {
    const sent = request(
      { socketPath: agent, path: '/cni', method: 'POST', signal: AbortSignal.timeout(DEADLINE_MS) },
      response => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => {
          try {
            resolve(JSON.parse(Buffer.concat(chunks).toString('utf8')))
          } catch {
            reject(new Error(`it answered ${response.statusCode} with something that is no JSON`))
          }
        })
      },
    )
    sent.on('error', reject)
    sent.end(JSON.stringify(call))
  })
}
