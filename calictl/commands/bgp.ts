/** `calictl bgp`: sessions and routes as the agents have them, and the resources that they come from. */

import type { Command } from 'commander'
import type { Act } from '../context.ts'
import { examples } from '../help.ts'
import type { RoutesOptions } from '../look/bgp.ts'
import { addNoun } from './noun.ts'
import { type WatchOptions, watched } from './watching.ts'

export function addBgp(program: Command, act: Act): void {
  const bgp = program
    .command('bgp')
    .description('BGP: sessions, routes and why they are so, peers, filters, configuration')
    .addHelpText('after', examples('calictl bgp peers', 'calictl bgp why 10.244.7.0/26'))
  addLooks(bgp, act)
  addNoun(
    bgp.command('peer').description('sessions besides the mesh').addHelpText('after', examples('calictl bgp peer get')),
    act,
    {
      path: 'bgp peer',
      kind: 'bgppeers',
      about: 'BGP peers',
      create: 'calictl bgp peer create tor-1 peerIP=172.16.20.1 asNumber=64601 node=node-1',
      set: 'calictl bgp peer set tor-1 asNumber=64602',
    },
  )
  addNoun(
    bgp.command('filter').description('which routes are taken and told').addHelpText('after', examples('calictl bgp filter get')),
    act,
    {
      path: 'bgp filter',
      kind: 'bgpfilters',
      about: 'BGP filters',
      create: `calictl bgp filter create pods-only 'exportV4=[{action: Accept, cidr: 10.244.0.0/16, matchOperator: In}, {action: Reject}]'`,
      set: `calictl bgp filter set pods-only 'importV4=[{action: Reject, cidr: 0.0.0.0/0, matchOperator: Equal}]'`,
    },
  )
  addNoun(
    bgp.command('config').description('what holds for all sessions').addHelpText('after', examples('calictl bgp config get')),
    act,
    {
      path: 'bgp config',
      kind: 'bgpconfigurations',
      about: 'BGP configurations',
      set: 'calictl bgp config set asNumber=64600 nodeToNodeMeshEnabled=false',
      standing: 'default',
    },
  )
}

function addLooks(bgp: Command, act: Act): void {
  bgp
    .command('peers')
    .description('show the sessions of every node')
    .argument('[node]', 'only of this node')
    .option('-w, --watch', 'go on, and show what changes')
    .addHelpText('after', examples('calictl bgp peers', 'calictl bgp peers node-1 -o wide'))
    .action((node: string | undefined, options: WatchOptions) =>
      act(context => watched(context, options, async seen => (await import('../look/bgp.ts')).showPeers(seen, node))),
    )
  bgp
    .command('routes')
    .description('show the routes that nodes have by BGP; with -o wide also those that they do not use')
    .argument('[to]', 'only to this prefix or address')
    .option('--node <name>', 'only of this node')
    .option('-w, --watch', 'go on, and show what changes')
    .addHelpText('after', examples('calictl bgp routes', 'calictl bgp routes 10.244.7.5 --node node-1'))
    .action((to: string | undefined, options: RoutesOptions & WatchOptions) =>
      act(context => watched(context, options, async seen => (await import('../look/bgp.ts')).showRoutes(seen, to, options))),
    )
  bgp
    .command('why')
    .description('show every path to a prefix, which one is used, and why the others are not')
    .argument('<to>', 'prefix or address')
    .option('--node <name>', 'only on this node')
    .addHelpText('after', examples('calictl bgp why 10.244.7.0/26', 'calictl bgp why 10.244.7.5 --node node-1'))
    .action((to: string, options: RoutesOptions) =>
      act(async context => (await import('../look/bgp.ts')).showWhy(context, to, options)),
    )
}
