/** npm run docs: writes the files that are made from the descriptions of the kinds, and removes those of kinds that are gone. */

import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { FOLDERS, pages } from './pages.ts'

const ROOT = join(import.meta.dirname, '../..')
const wanted = pages()

for (const folder of FOLDERS) {
  mkdirSync(join(ROOT, folder), { recursive: true })
  for (const entry of readdirSync(join(ROOT, folder), { withFileTypes: true })) {
    if (entry.isFile() && !wanted.has(`${folder}/${entry.name}`)) rmSync(join(ROOT, folder, entry.name))
  }
}
for (const [path, text] of wanted) {
  mkdirSync(dirname(join(ROOT, path)), { recursive: true })
  writeFileSync(join(ROOT, path), text)
}
console.error(`wrote ${wanted.size} files`)
