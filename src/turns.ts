import type { Target } from "./ledger/schema.ts";
import type { PlannedSession } from "./parts.ts";
import type { Tally } from "./report.ts";
import { putAside } from "./upload/aside.ts";

/** What a run that spent its retries leaves; 1 is what one leaves that did not come to its end. */
const SPENT_TRIES = 2;

/** Runs that may spend their retries on the same parts, while others get through, before the session is put aside. */
const MAX_TRIES = 4;

interface Turn {
  readonly servedAt: number | undefined;
  readonly tries: number | undefined;
}

/**
 * Sends every planned session to the back of the queue, and remembers where it was.
 * That is written down before anything is sent, so that one which ends the process
 * does not come first again for ever.
 */
export function takeTurns(
  { sessions }: Target,
  plan: readonly PlannedSession[],
  now: number,
): Map<string, Turn> {
  const before = new Map<string, Turn>();
  for (const { session } of plan) {
    const record = sessions[session.key];
    if (record === undefined) continue;
    const { servedAt, tries } = record;
    before.set(session.key, { servedAt, tries });
    record.servedAt = now;
    record.tries = (tries ?? 0) + 1;
  }
  return before;
}

/** Gives those that the run did not come to their place in the queue back. */
export function giveTurnsBack({ sessions }: Target, turns: ReadonlyMap<string, Turn>): void {
  for (const [key, { servedAt, tries }] of turns) {
    const record = sessions[key];
    if (record === undefined) continue;
    if (servedAt === undefined) delete record.servedAt;
    else record.servedAt = servedAt;
    if (tries === undefined) delete record.tries;
    else record.tries = tries;
  }
}

/**
 * Lets the sessions whose retries were spent wait their turn. What the API fails on
 * again and again, and takes others meanwhile, is the session's own trouble; and so is
 * what it does not find then.
 */
export function settleSpent({ sessions }: Target, tally: Tally, now: number): void {
  for (const { session, reason } of tally.settleNotFound()) {
    const record = sessions[session.key];
    if (record !== undefined) putAside(record, reason, now);
  }
  const { spentSessions, parts } = tally;
  for (const { session, reason } of spentSessions) {
    const record = sessions[session.key];
    if (record === undefined) continue;
    record.tries = Math.max(record.tries ?? 0, SPENT_TRIES);
    if (parts > 0 && record.tries >= MAX_TRIES) putAside(record, reason, now);
  }
}
