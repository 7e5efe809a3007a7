/** Where the decision process differs between makers of routers, each as a switch; left out is what RFC 4271 §9.1.2 says. */
export interface DecisionOptions {
  /** MED is compared between neighbours of different AS too. */
  readonly alwaysCompareMed?: true
  /** A missing MED is the worst, not 0. */
  readonly missingMedWorst?: true
  /** AS path length does not count. */
  readonly ignoreAsPathLength?: true
  /** The router id of the peer does not count. */
  readonly ignoreRouterId?: true
  /** Paths that tie up to the router id are used together, at most so many; left out: one. */
  readonly multipath?: number
  /** For multipath, AS paths need only be of equal length. */
  readonly multipathRelax?: true
}
