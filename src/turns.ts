import type { TargetRecords, Turn } from "./ledger/target.ts";
import type { PlannedSession } from "./parts.ts";
import type { Tally } from "./report.ts";
import { nextAside } from "./upload/aside.ts";

/** What a run that spent its retries leaves; 1 is what one leaves that did not come to its end. */
const SPENT_TRIES = 2;

/** Runs that may spend their retries on the same parts, while others get through, before the session is put aside. */
const MAX_TRIES = 4;

/** Sends every planned session to the back of the queue, and remembers where it was. */
export function takeTurns(
  target: TargetRecords,
  plan: readonly PlannedSession[],
): Map<string, Turn> {
  return new Map(plan.map(({ session: { key } }) => [key, target.takeTurn(key)]));
}

/** Gives those that the run did not come to their place in the queue back. */
export function giveTurnsBack(target: TargetRecords, turns: ReadonlyMap<string, Turn>): void {
  for (const [key, turn] of turns) target.giveTurnBack(key, turn);
}

/**
 * Lets the sessions whose retries were spent wait their turn. What the API fails on
 * again and again, and takes others meanwhile, is the session's own trouble; and so is
 * what it does not find then.
 */
export function settleSpent(target: TargetRecords, tally: Tally, now: number): void {
  for (const { session, reason } of tally.settleNotFound()) {
    const { key } = session;
    target.setAside(key, nextAside(target.session(key)?.aside, reason, now));
  }
  const { spentSessions, parts } = tally;
  for (const { session, reason } of spentSessions) {
    const { key } = session;
    const record = target.session(key);
    const tries = Math.max(record?.tries ?? 0, SPENT_TRIES);
    target.setTries(key, tries);
    if (parts > 0 && tries >= MAX_TRIES) {
      target.setAside(key, nextAside(record?.aside, reason, now));
    }
  }
}
