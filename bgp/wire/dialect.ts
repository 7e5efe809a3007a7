/** What both ends of a session agreed on that changes how bytes are read and written. */
export interface Dialect {
  /** Internal: both ends in one AS. */
  readonly kind: 'internal' | 'external'
  /** RFC 6793: AS numbers take four octets in AS_PATH and AGGREGATOR; otherwise two. */
  readonly asnOctets: 2 | 4
}

export const AS_TRANS = 23456
