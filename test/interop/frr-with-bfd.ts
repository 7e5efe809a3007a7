/** FRR with all that its BFD needs: bgpd hears of bfdd through zebra. */
import type { ChildProcess } from 'node:child_process'
import { existsSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { execa } from 'execa'
import { daemonIn } from '../lab/command.ts'
import { FrrRouter } from './frr-router.ts'

/** zebra and bfdd want their user in the group of FRR's terminals: in the mount namespace of the lab, root is. Once a test file. */
export async function joinTerminals(): Promise<void> {
  const groups = readFileSync('/etc/group', 'utf8').replace(/^(frrvty:.*)$/m, '$1,root')
  writeFileSync('/run/group', groups)
  await execa('mount', ['--bind', '/run/group', '/etc/group'])
}

export class FrrWithBfd extends FrrRouter {
  readonly #others: ChildProcess[] = []
  protected override readonly zebra = ['-z', this.file('zserv')]

  override async launch(): Promise<void> {
    writeFileSync(this.file('empty'), '')
    this.#begin('zebra', [])
    await this.until('the socket of zebra', () => existsSync(this.file('zserv')))
    this.#begin('bfdd', ['--bfdctl', this.file('bfdctl')])
    await super.launch()
  }

  override signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    super.signal(name)
    for (const other of this.#others) other.kill(name)
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#others.map(ended))
    await super[Symbol.asyncDispose]()
  }

  #begin(name: string, more: readonly string[]): void {
    const files = ['-f', this.file('empty'), '-i', this.file(`${name}.pid`), '-z', this.file('zserv')]
    const log = openSync(this.file(`${name}.log`), 'a')
    this.#others.push(
      daemonIn(
        'router',
        [`/usr/lib/frr/${name}`, '-u', 'root', '-g', 'root', '-P', '0', ...files, '--vty_socket', this.folder, ...more],
        log,
      ),
    )
  }
}

function ended(child: ChildProcess): Promise<unknown> {
  child.ref()
  const gone = new Promise(resolve => child.once('exit', resolve))
  child.kill('SIGKILL')
  return gone
}
