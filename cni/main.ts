/** The CNI plugin, as a container runtime runs it: call in environment and standard input, answer on standard output. */

import { readFileSync } from 'node:fs'
import { answerCall } from './plugin.ts'

/** Longer than the agent's own deadline for a pod, shorter than the two minutes of the kubelet. */
const DEADLINE_MS = 90_000

async function main(): Promise<void> {
  const { exitCode, body } = await answerCall({
    environment: process.env,
    readConfig: () => readFileSync(0, 'utf8'),
    deadlineMs: DEADLINE_MS,
  })
  if (body !== null) process.stdout.write(`${JSON.stringify(body)}\n`)
  process.exitCode = exitCode
}

void main()
