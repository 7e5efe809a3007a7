/** Stops an agent's process in its tracks, so that a test may break something and see that it matters before the agent mends it. */
import type { Lab } from '../lab/lab.ts'

export async function whileFrozen<T>(lab: Lab, node: string, work: () => Promise<T>): Promise<T> {
  const pid = lab.agents.pid(node)
  if (pid === undefined) throw new Error(`the agent of ${node} does not run`)
  process.kill(pid, 'SIGSTOP')
  try {
    return await work()
  } finally {
    process.kill(pid, 'SIGCONT')
  }
}

/** Runs a command that must succeed; returns what it printed. */
export async function must(lab: Lab, where: string, ...argv: string[]): Promise<string> {
  const { stdout, stderr, exitCode } = await lab.exec(where, argv)
  if (exitCode !== 0) throw new Error(`${where}# ${argv.join(' ')}: ${stderr}${stdout}`)
  return stdout
}

/** The host side of a pod's veth, by the route to it. */
export async function hostInterfaceOf(lab: Lab, pod: string): Promise<string> {
  const { node, address } = lab.pod(pod)
  const row = (await lab.routes(node)).find(({ dst }) => dst === address)
  if (row?.dev === undefined) throw new Error(`no route to ${pod} ${address} on ${node}`)
  return row.dev
}
