/** Bundles our programs, and the tests that need ipip, into one file each: what the virtual machine runs. */
import { existsSync, globSync, rmSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { build } from 'esbuild'

const PROGRAMS = { agent: 'agent', calictl: 'calictl', cni: 'cni', demo: 'test/demo', lab: 'test/lab' }

process.chdir(`${import.meta.dirname}/../..`)
rmSync('build/tests', { recursive: true, force: true })
await build({
  entryPoints: [...programs(), ...tests()],
  outdir: 'build',
  outExtension: { '.js': '.mjs' },
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  // It loads its machine code from beside itself.
  external: ['koffi'],
  // What was written as CommonJS asks for `require`.
  banner: {
    js: "import { createRequire as $createRequire } from 'node:module'; const require = $createRequire(import.meta.url);",
  },
  logLevel: 'warning',
})
// The plugin's launcher looks for this name.
writeFileSync('build/cni.cjs', "import('./cni.mjs')\n")

function programs(): { in: string; out: string }[] {
  return Object.entries(PROGRAMS)
    .map(([name, folder]) => ({ in: `${folder}/main.ts`, out: name }))
    .filter(entry => existsSync(entry.in))
}

function tests(): { in: string; out: string }[] {
  return globSync('test/*/*.ipip.test.ts').map(file => ({ in: file, out: `tests/${basename(file, '.ts')}` }))
}
