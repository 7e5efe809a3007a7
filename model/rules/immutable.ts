/** Fields that stay as they were when the resource was created. */

import type { Kind, Problem } from '../resources/kind.ts'
import { inside, isRecord, type Members, type Path, pathText } from '../schema/field.ts'

/** Every immutable field in which two documents of a kind differ. */
export function checkImmutable(kind: Kind<unknown>, before: unknown, after: unknown): readonly Problem[] {
  const was = kind.parseStored(before)
  const is = kind.parseStored(after)
  if (!was.ok || !is.ok) return []
  return differences(kind.spec.members, was.document.spec, is.document.spec, inside(undefined, 'spec'))
}

function differences(members: Members, before: unknown, after: unknown, at: Path): readonly Problem[] {
  if (!isRecord(before) || !isRecord(after)) return []
  return Object.entries(members).flatMap(([name, field]) => {
    const here = inside(at, name)
    if (field.members !== undefined) return differences(field.members, before[name], after[name], here)
    const same = JSON.stringify(before[name]) === JSON.stringify(after[name])
    if (!field.immutable || same) return []
    return [
      {
        at: pathText(here),
        says: `is ${show(before[name])} and cannot be changed: create another resource, and delete this one`,
      },
    ]
  })
}

function show(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
