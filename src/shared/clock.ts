export interface Clock {
  /** Wall clock, in ms since the epoch. */
  readonly now: () => number;
}

/** Whether an instant is still to come; one that is further ahead than any is set is from a clock that was wrong. */
export function isAhead(instant: number, now: number, mostMs: number): boolean {
  return instant > now && instant <= now + mostMs;
}
