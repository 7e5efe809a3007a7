/** `calictl version`: of this command and of the agents that answer. */

import type { Command } from 'commander'
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
    .addHelpText('after', examples('calictl version', 'calictl version -o json'))
    .action(() => act(showVersion))
}

async function showVersion(context: Context): Promise<ExitCode> {
  const survey = await surveyAgents(context)
  const { answers } = survey
  const agents = answers.map(({ node, status }) => ({ node, version: status.version }))
  const rows = [['calictl', VERSION], ...agents.map(({ node, version }) => [`agent of ${node}`, version])]
  const different = agents.filter(({ version }) => version !== VERSION)
  if (different.length > 0)
    context.err(`note: not of the version of calictl: the agents of ${different.map(({ node }) => node).join(', ')}`)
  await show(context, { document: { kind: 'Version', calictl: VERSION, agents }, text: table(['PART', 'VERSION'], rows) })
  return completeness(survey)
}
