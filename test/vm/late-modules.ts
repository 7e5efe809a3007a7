/** In bundles, modules that take long are loaded when something of them is first used: a short command needs few of them, and they take longer than it. */

import { createRequire } from 'node:module'
import type { Plugin } from 'esbuild'

/** Of Node. What classes extend at once is not among them. */
const BUILTINS = [
  'child_process',
  'http',
  'https',
  'sqlite',
  'net',
  'tls',
  'tty',
  'crypto',
  'fs/promises',
  'stream/consumers',
  'timers/promises',
]
const PACKAGES = ['ip-address', 'cli-table3']
const SPACE = 'late'

export function lateModules(): Plugin {
  const own = createRequire(import.meta.url)
  return {
    name: 'late-modules',
    setup: building => {
      building.onResolve({ filter: /^[a-z0-9:_/-]+$/ }, ({ path, namespace }) => {
        const name = path.replace(/^node:/, '')
        const isLate = BUILTINS.includes(name) || PACKAGES.includes(path)
        return isLate && namespace !== SPACE ? { path: name, namespace: SPACE } : undefined
      })
      building.onLoad({ filter: /.*/, namespace: SPACE }, ({ path }) => {
        const isPackage = PACKAGES.includes(path)
        const resolveDir = import.meta.dirname
        const real: unknown = own(isPackage ? path : `node:${path}`)
        // A class: whoever makes an object of it gets one of the real class.
        const make = `module.exports = function (...given) { const Real = require('${path}'); return new Real(...given) }`
        if (typeof real === 'function') return { contents: make, resolveDir }
        const load = isPackage ? `require('${path}')` : `process.getBuiltinModule('node:${path}')`
        const names = Object.keys(Object(real))
        const members = names.map(name => `${JSON.stringify(name)}: { enumerable: true, get: () => ${load}.${name} }`)
        return { contents: `Object.defineProperties(exports, { ${members.join(', ')} })`, resolveDir }
      })
    },
  }
}
