/** Hands a CNI call to the agent of this node, and judges alone what needs no agent. No credentials, no kernel, no datastore. */

import { request } from 'node:http'
import { CNI_ERROR, type CniReply, cniFailure, readNetworkConfig, SUPPORTED } from '@network/model/cni.ts'

export const DEFAULT_AGENT = '/run/cali/agent.sock'

export interface PluginCall {
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Standard input, read only where the command has any. */
  readonly readConfig: () => string
  /** How long the agent may take, in milliseconds. */
  readonly deadlineMs: number
}

/** What to print and how to exit; never rejects. */
export async function answerCall({ environment, readConfig, deadlineMs }: PluginCall): Promise<CniReply> {
  const command = environment['CNI_COMMAND']
  // Needs no agent: a runtime asks for versions before anything runs.
  if (command === 'VERSION') return { exitCode: 0, body: SUPPORTED }
  if (command === undefined)
    return cniFailure(
      '1.0.0',
      CNI_ERROR.invalidEnvironment,
      'CNI_COMMAND is not set',
      'this is a CNI plugin: a container runtime calls it',
    )
  const config = readConfig()
  const read = readNetworkConfig(config)
  if (read.is === 'refused') return read.reply
  const { agent = DEFAULT_AGENT } = read.fields
  if (typeof agent !== 'string' || agent === '')
    return cniFailure(read.version, CNI_ERROR.invalidConfig, '"agent" is not text', `it is a path, such as ${DEFAULT_AGENT}`)
  try {
    const body = JSON.stringify({ environment: ofCni(environment), config })
    return await ask({ agent, body, deadlineMs })
  } catch (reason) {
    const says = reason instanceof Error ? reason.message : String(reason)
    return cniFailure(
      read.version,
      // A runtime that asks whether pods can be added gets its answer; all others come again.
      command === 'STATUS' ? CNI_ERROR.notAvailable : CNI_ERROR.tryAgainLater,
      `the agent of this node does not answer on ${agent}`,
      `${says}; see that cali-agent runs, and that "agent" in the network configuration names its socket`,
    )
  }
}

function ofCni(environment: PluginCall['environment']): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).flatMap(([name, value]) =>
      name.startsWith('CNI_') && value !== undefined ? [[name, value]] : [],
    ),
  )
}

interface Question {
  readonly agent: string
  readonly body: string
  readonly deadlineMs: number
}

function ask({ agent, body, deadlineMs }: Question): Promise<CniReply> {
  const late = AbortSignal.timeout(deadlineMs)
  return new Promise((resolve, reject) => {
    const failed = (reason: Error) => reject(late.aborted ? new Error(`nothing came within ${deadlineMs / 1000} s`) : reason)
    const sent = request({ socketPath: agent, path: '/cni', method: 'POST', signal: late }, response => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', failed)
      response.on('end', () => {
        const reply = replyIn(Buffer.concat(chunks).toString('utf8'))
        if (reply === undefined)
          reject(new Error(`what answers there (status ${response.statusCode}) is no agent of this release`))
        else resolve(reply)
      })
    })
    sent.on('error', failed)
    sent.end(body)
  })
}

/** Undefined unless it is what an agent says. */
function replyIn(text: string): CniReply | undefined {
  try {
    const { exitCode, body } = JSON.parse(text)
    if ((exitCode !== 0 && exitCode !== 1) || typeof body !== 'object') return undefined
    return { exitCode, body }
  } catch {
    return undefined
  }
}
