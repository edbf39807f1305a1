import type { SessionRecord } from "../ledger/records.ts";

/** First and longest time until a session that was put aside is tried again, in ms. */
const ASIDE_MS = 3_600_000;
export const MAX_ASIDE_MS = 24 * ASIDE_MS;

/** Each time it fails again, it is left alone for twice as long. */
export function putAside(record: SessionRecord, reason: string, now: number): void {
  const attempts = (record.aside?.attempts ?? 0) + 1;
  const retryAt = now + Math.min(MAX_ASIDE_MS, ASIDE_MS * 2 ** (attempts - 1));
  record.aside = { reason, since: record.aside?.since ?? now, attempts, retryAt };
}
