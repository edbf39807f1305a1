import type { Aside } from "../ledger/records.ts";

/** First and longest time until a session that was put aside is tried again, in ms. */
const ASIDE_MS = 3_600_000;
export const MAX_ASIDE_MS = 24 * ASIDE_MS;

/** How long a session is left alone now: each time it fails again, for twice as long. */
export function nextAside(before: Aside | undefined, reason: string, now: number): Aside {
  const attempts = (before?.attempts ?? 0) + 1;
  const retryAt = now + Math.min(MAX_ASIDE_MS, ASIDE_MS * 2 ** (attempts - 1));
  return { reason, since: before?.since ?? now, attempts, retryAt };
}
