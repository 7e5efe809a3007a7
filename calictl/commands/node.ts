/** `calictl node`: the machines of the cluster. */

import { formatIpv4 } from '@network/base/net/ipv4.ts'
import { formatPrefix } from '@network/base/net/prefix.ts'
import { NODE, type Node, subnetOf } from '@network/model/resources/node.ts'
import type { Command } from 'commander'
import type { Survey } from '../agents.ts'
import { isUp } from '../ailments.ts'
import { type Act, type Context, type Result, show } from '../context.ts'
import { EXIT, type ExitCode } from '../exit.ts'
import { examples } from '../help.ts'
import { noSuchNode } from '../nodes.ts'
import { table } from '../render/table.ts'
import { readRows, valuesOf } from '../resources/stock.ts'
import { listOfRows } from '../resources/view.ts'
import { completeness, surveyAgents, surveyOne } from '../survey.ts'
import { type DeleteOptions, removeNode } from './node-delete.ts'
import { type StatusOptions, showStatus } from './node-status.ts'
import { addSet } from './noun.ts'
import { type WatchOptions, watched } from './watching.ts'

export function addNode(program: Command, act: Act): void {
  const node = program
    .command('node')
    .description('the machines of the cluster and their agents')
    .addHelpText('after', examples('calictl node status'))
  node
    .command('get')
    .alias('list')
    .description('show the nodes that are in the cluster')
    .argument('[name]', 'only this node')
    .addHelpText('after', examples('calictl node get', 'calictl node get -o wide', 'calictl node get node-1 -o yaml'))
    .action((name: string | undefined) => act(context => getNodes(context, name)))
  node
    .command('status')
    .description('show what the agents tell: BGP sessions, tunnel, datastore, repairs')
    .argument('[name]', 'only this node')
    .option('-w, --watch', 'go on, and show what changes')
    .option('--check', 'exit with 1 when a session is down or something else is wrong')
    .addHelpText('after', examples('calictl node status', 'calictl node status node-1 --check', 'calictl node status -o wide'))
    .action((name: string | undefined, options: StatusOptions & WatchOptions) =>
      act(context => watched(context, options, seen => showStatus(seen, name, options))),
    )
  addSet(node, act, {
    kind: 'nodes',
    about: 'nodes',
    set: 'calictl node set node-1 asNumber=64601 routeReflectorClusterID=224.0.0.1',
  })
  node
    .command('delete')
    .description('take a node out of the cluster: its routes go at once everywhere, its addresses become free')
    .argument('<name>', 'the node')
    .option('--force', 'even when its agent still answers')
    .addHelpText('after', examples('calictl node delete node-4'))
    .action((name: string, options: DeleteOptions) => act(context => removeNode(context, name, options)))
}

async function getNodes(context: Context, name: string | undefined): Promise<ExitCode> {
  const all = await readRows(context, NODE)
  const rows = all.filter(({ document }) => name === undefined || document.metadata.name === name)
  if (name !== undefined && rows.length === 0) throw noSuchNode('show', name, valuesOf(NODE, all))
  const [one] = rows
  const document = name !== undefined && one !== undefined ? one.document : listOfRows([NODE], rows)
  const wanted = valuesOf(NODE, rows)
  if (wanted.length === 0) {
    await show(context, { document, text: 'There are no nodes; each machine joins when its cali-agent starts.' })
    return EXIT.ok
  }
  const text = table(HEAD, wanted.map(cellsOf))
  if (context.format !== 'wide') {
    await show(context, { document, text })
    return EXIT.ok
  }
  const survey = name === undefined ? await surveyAgents(context) : await surveyOne(context, name)
  await show(context, { document, text, wide: wideTable(wanted, survey) })
  return name === undefined ? completeness(survey) : EXIT.ok
}

const HEAD = ['NAME', 'ADDRESS', 'SUBNET', 'TUNNEL ADDRESS', 'AS']

function cellsOf(node: Node): readonly string[] {
  return [
    node.name,
    formatIpv4(node.address),
    formatPrefix(subnetOf(node)),
    node.tunnelAddress === undefined ? '' : formatIpv4(node.tunnelAddress),
    node.asn === undefined ? 'default' : `${node.asn}`,
  ]
}

function wideTable(nodes: readonly Node[], { answers, silences }: Survey): Result['wide'] {
  const rows = nodes.map(node => {
    const status = answers.find(answer => answer.node === node.name)?.status
    const silence = silences.find(one => one.node === node.name)
    // Nodes without a socket here are asked on their own machines.
    const agent = status === undefined ? (silence?.why ?? '') : status.version
    const peers = status?.bgp.peers
    const sessions = peers === undefined ? '' : `${peers.filter(isUp).length} of ${peers.length}`
    return [...cellsOf(node), sessions, agent, node.id]
  })
  return () => table([...HEAD, 'SESSIONS', 'AGENT', 'ID'], rows)
}
