/** What holds where nobody wrote a policy. RFC 8212. */
import type { Policy, PolicyChain } from './policy.ts'

const REFUSE: Policy = { name: 'none towards another AS (RFC 8212)', rules: [], otherwise: 'reject' }
const REFUSE_ALL: PolicyChain = [REFUSE]
const ACCEPT_ALL: PolicyChain = []

/** Whether external peers without a policy exchange nothing, as RFC 8212 wants, or everything. */
export type WithoutPolicy = 'refuse' | 'accept'

/** The chain that counts for a peer; undefined is not the same as empty: who writes an empty one means it. */
export function effective(
  chain: PolicyChain | undefined,
  kind: 'internal' | 'external',
  withoutPolicy: WithoutPolicy,
): PolicyChain {
  if (chain !== undefined) return chain
  return kind === 'external' && withoutPolicy === 'refuse' ? REFUSE_ALL : ACCEPT_ALL
}
