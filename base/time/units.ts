/** Durations and instants that cannot be mixed up. */
declare const millisUnit: unique symbol
declare const secondsUnit: unique symbol
declare const instantUnit: unique symbol

export type Millis = number & { readonly [millisUnit]: true }
export type Seconds = number & { readonly [secondsUnit]: true }
/** Milliseconds on a monotonic clock whose origin means nothing. */
export type Instant = number & { readonly [instantUnit]: true }

export function millis(value: number): Millis {
  return value as Millis
}

export function seconds(value: number): Seconds {
  return value as Seconds
}

export function toMillis(value: Seconds): Millis {
  return millis(value * 1000)
}

export function after(instant: Instant, duration: Millis): Instant {
  return (instant + duration) as Instant
}

export function between(from: Instant, to: Instant): Millis {
  return millis(to - from)
}
