/** npm run docs: writes the files that are made from the descriptions of the kinds, and removes those of kinds that are gone. */

import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { BY_HAND, FOLDERS, pages } from './pages.ts'

const ROOT = join(import.meta.dirname, '../..')
const wanted = pages()

for (const folder of FOLDERS) {
  mkdirSync(join(ROOT, folder), { recursive: true })
  for (const entry of readdirSync(join(ROOT, folder), { withFileTypes: true })) {
    const path = `${folder}/${entry.name}`
    if (entry.isFile() && !wanted.has(path) && !BY_HAND.includes(path)) rmSync(join(ROOT, path))
  }
}
for (const [path, text] of wanted) {
  mkdirSync(dirname(join(ROOT, path)), { recursive: true })
  writeFileSync(join(ROOT, path), text)
}
console.error(`wrote ${wanted.size} files`)
