/** `calictl version`: of this command and of the agents that answer. */

import type { Command } from 'commander'
import type { Survey } from '../agents.ts'
import { type Act, type Context, show } from '../context.ts'
import type { ExitCode } from '../exit.ts'
import { examples } from '../help.ts'
import { table } from '../render/table.ts'
import { completeness, surveyAgents } from '../survey.ts'
import { VERSION } from '../version.ts'

export function addVersion(program: Command, act: Act): void {
  program
    .command('version')
    .description('show the versions of calictl and of the agents that answer')
    .option('--client', 'only of calictl: no agent is asked')
    .addHelpText('after', examples('calictl version', 'calictl version --client', 'calictl version -o json'))
    .action((options: VersionOptions) => act(context => showVersion(context, options)))
}

interface VersionOptions {
  readonly client?: true
}

const NOBODY: Survey = { answers: [], silences: [], unreadable: undefined }

async function showVersion(context: Context, { client }: VersionOptions): Promise<ExitCode> {
  const survey = client === true ? NOBODY : await surveyAgents(context)
  const { answers } = survey
  const agents = answers.map(({ node, status }) => ({ node, version: status.version }))
  const rows = [['calictl', VERSION], ...agents.map(({ node, version }) => [`agent of ${node}`, version])]
  const different = agents.filter(({ version }) => version !== VERSION)
  if (different.length > 0)
    context.err(`note: not of the version of calictl: the agents of ${different.map(({ node }) => node).join(', ')}`)
  await show(context, { document: { kind: 'Version', calictl: VERSION, agents }, text: table(['PART', 'VERSION'], rows) })
  return completeness(survey)
}
