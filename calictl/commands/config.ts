/** `calictl config`: settings of the agents. */

import type { Command } from 'commander'
import type { Act } from '../context.ts'
import { examples } from '../help.ts'
import { addNoun } from './noun.ts'

export function addConfig(program: Command, act: Act): void {
  const config = program
    .command('config')
    .description('settings of the agents, for the cluster (default) or for one node (node.<name>)')
    .addHelpText('after', examples('calictl config get', 'calictl config set vxlanPort=4790'))
  addNoun(config, act, {
    path: 'config',
    kind: 'agentconfigurations',
    about: 'settings of the agents',
    create: 'calictl config create node.node-1 logSeverityScreen=Debug',
    set: 'calictl config set logSeverityScreen=Debug',
    standing: 'default',
  })
}
