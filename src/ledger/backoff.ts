/** First and longest time until what failed is tried again, in ms. */
const FIRST_MS = 3_600_000;
export const MAX_SESSION_BACKOFF_MS = 24 * FIRST_MS;

/**
 * When to try again what has failed, in ms since the epoch: each time after twice as long.
 *
 * @param before how often it had failed before
 */
export function retryTime(before: number, now: number): number {
  return now + Math.min(MAX_SESSION_BACKOFF_MS, FIRST_MS * 2 ** before);
}
