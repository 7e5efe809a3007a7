/** Root is denied nothing: tests of refusals run as somebody else. */

const NOBODY = 65534

/** Runs `work` with the rights of an ordinary user, whoever runs the tests. */
export async function asOrdinaryUser<T>(work: () => Promise<T>): Promise<T> {
  if (process.geteuid?.() !== 0) return work()
  process.seteuid?.(NOBODY)
  try {
    return await work()
  } finally {
    process.seteuid?.(0)
  }
}
